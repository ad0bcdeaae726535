// Comfort for forms. Everything here also works by submitting the button that is enhanced.
(() => {
  "use strict";

  // Rows: `<div data-rows="settings">` holds the rows, its template one more, `__index__` stands for the number.
  function addRow(rows) {
    const template = rows.closest("form").querySelector("template[data-row]");
    const next = 1 + Math.max(-1, ...[...rows.children].map((row) => Number(row.dataset.index)));
    const holder = document.createElement("div");
    holder.innerHTML = template.innerHTML.replaceAll("__index__", String(next));
    const row = holder.firstElementChild;
    rows.append(row);
    row.querySelector(".input").focus();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (!button) return;
    if (button.dataset.addRow) {
      event.preventDefault();
      addRow(document.querySelector(`[data-rows="${button.dataset.addRow}"]`));
    } else if (button.dataset.removeRow !== undefined) {
      event.preventDefault();
      const row = button.closest("[data-index]");
      const near = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector(".input");
      row.remove();
      (near ?? document.querySelector("[data-add-row]"))?.focus();
    } else if (button.dataset.tickAll) {
      event.preventDefault();
      const boxes = [...button.form.querySelectorAll(`input[type=checkbox][name="${button.dataset.tickAll}"]`)];
      const tick = boxes.some((box) => !box.checked);
      for (const box of boxes) box.checked = tick;
    } else if (button.dataset.peek) {
      const input = document.getElementById(button.dataset.peek);
      const shown = input.type === "password";
      input.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
    }
  });

  // A choice that decides what else the page shows presses its own button.
  document.addEventListener("change", (event) => {
    const press = event.target.closest?.("[data-press]");
    if (press) document.getElementById(press.dataset.press)?.click();
  });

  // Buttons that only make sense with script appear with it.
  const reveal = () => {
    for (const button of document.querySelectorAll("[data-peek][hidden]")) button.hidden = false;
    for (const button of document.querySelectorAll("[data-pressed]")) button.classList.add("visually-hidden");
  };
  document.addEventListener("DOMContentLoaded", reveal);
  document.addEventListener("htmx:after:swap", reveal);
})();
