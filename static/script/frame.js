// The portal's frame: as tall as the page, told after every change; portal pages open in the portal's own slider.
// After each page the focus goes to the first wrong field, else back to the choice that asked for the page, else to what
// the server marked, else to the content.
(() => {
  "use strict";

  const LOWEST = 600;
  let ready = false;
  let queued = false;
  let choice = "";

  function fit() {
    if (!ready || queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      const height = Math.ceil(document.body.getBoundingClientRect().height);
      // fitWindow asks for the scroll height, which is never less than the frame's own: it grows frames only.
      if (height < window.innerHeight) window.BX24.resizeWindow("100%", Math.max(height, LOWEST));
      else window.BX24.fitWindow();
    });
  }

  function meetPortal() {
    // Outside a portal's frame BX24.js has nobody to talk to; the page works all the same.
    try {
      window.BX24.init(() => {
        ready = true;
        fit();
      });
    } catch {
      ready = false;
    }
  }

  function settle() {
    const wrong = document.querySelector('[aria-invalid="true"]') ?? document.querySelector(".alert.bad[tabindex]");
    const chosen = choice && document.getElementById(choice);
    choice = "";
    const spot = wrong ?? (chosen || document.querySelector("[data-focus]")) ?? document.getElementById("main");
    spot?.focus({ preventScroll: !wrong });
    document.querySelector(".tab[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
    if (ready && (wrong || !chosen)) window.BX24.scrollParentWindow?.(wrong ? Math.max(0, wrong.getBoundingClientRect().top - 80) : 0);
    fit();
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (window.BX24) meetPortal();
    else document.getElementById("bx24")?.addEventListener("load", meetPortal);
    new ResizeObserver(fit).observe(document.body);
    if (document.querySelector('[aria-invalid="true"]')) settle();
  });
  document.addEventListener("htmx:after:swap", settle);

  // No answer at all: the page stays as it is, with what was typed, and says so.
  const unreachable = () => document.getElementById("unreachable");
  document.addEventListener("htmx:config:request", () => (unreachable().hidden = true));
  document.addEventListener("htmx:error", () => {
    unreachable().hidden = false;
    unreachable().scrollIntoView({ block: "nearest" });
    fit();
  });

  // Arrow keys change a list step by step: each step may bring a page, and none may take the place away.
  document.addEventListener("change", (event) => (choice = event.target.closest?.("[data-press]")?.id ?? choice));
  document.addEventListener("click", (event) => {
    if (event.isTrusted) choice = "";
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-open-path]");
    if (!opener || !ready || !window.BX24.openPath) return;
    event.preventDefault();
    window.BX24.openPath(opener.dataset.openPath);
  });
})();
