// The preview of a file: shown anew at each change of what decides how the file is read. Without script the button
// "Show" does the same with the whole page.
(() => {
  "use strict";

  const DECIDES = /^(settings-.*|upload|_type|_file|_table)$/;
  let last = null;

  const area = () => document.getElementById("preview");

  // Beside each input stands what the answer says about it.
  function tellProblems(form, page) {
    for (const input of form.querySelectorAll(".input[id]")) {
      const told = page.getElementById(input.id);
      if (!told || !DECIDES.test(input.name) || input.closest("#preview")) continue;
      for (const name of ["aria-invalid", "aria-describedby"]) {
        if (told.hasAttribute(name)) input.setAttribute(name, told.getAttribute(name));
        else input.removeAttribute(name);
      }
      document.getElementById(`${input.id}-problem`)?.remove();
      const problem = page.getElementById(`${input.id}-problem`);
      if (problem) input.after(problem);
      if (problem) input.closest("details")?.setAttribute("open", "");
    }
  }

  function take(form, page, withFile, isChange) {
    const focused = document.activeElement?.id;
    const fresh = page.getElementById("preview");
    if (withFile) {
      // The file is kept now: the form names it, and does not send it again.
      for (const part of form.querySelectorAll(".one-of")) part.replaceWith(page.querySelector(".one-of"));
    }
    if (isChange) tellProblems(form, page);
    const types = document.getElementById("settings-types");
    if (types && types !== document.activeElement) types.value = page.getElementById("settings-types").value;
    area().replaceWith(fresh);
    document.getElementById("preview-status").textContent =
      (fresh.querySelector(".alert") ?? fresh.querySelector("#preview-basis"))?.textContent ?? "";
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  async function show(extent = "1", isChange = true) {
    const form = area().closest("form");
    last?.abort();
    const mine = new AbortController();
    last = mine;
    area().setAttribute("aria-busy", "true");
    const body = new FormData(form);
    body.delete("_s");
    body.set("_preview", extent);
    const withFile = Boolean(form.querySelector("input[type=file]")?.files.length);
    let answer, text;
    try {
      answer = await window.askApp(form.action, { method: "POST", body, signal: mine.signal });
      text = await answer.text();
    } catch {
      if (mine !== last) return;
      area()?.removeAttribute("aria-busy");
      document.getElementById("unreachable").hidden = false;
      return;
    }
    if (mine !== last || !form.isConnected) return;
    const page = new DOMParser().parseFromString(text, "text/html");
    if (!page.getElementById("preview")) {
      // No page of this form: the button brings it, with what it says.
      document.getElementById("show-preview").click();
      return;
    }
    take(form, page, withFile, isChange);
    // The first rows come at once; all of them take their time, during which the first ones can be looked at.
    if (area().dataset.more !== undefined) show("whole", isChange);
  }

  document.addEventListener("change", (event) => {
    const changed = event.target;
    if (area() && changed.form === area().closest("form") && DECIDES.test(changed.name)) show();
  });

  // A page that just came keeps what it says beside its inputs.
  const begin = () => {
    if (area()?.dataset.wanted !== undefined) show("1", false);
    else if (area()?.dataset.more !== undefined) show("whole", false);
  };
  document.addEventListener("DOMContentLoaded", begin);
  document.addEventListener("htmx:after:swap", begin);
})();
