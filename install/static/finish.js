// Completes the installation: Bitrix24 then reloads its page and starts the app (facts/platform 1.2).
// The server sends this script only after all events were bound, and the call is made once.
(function () {
  "use strict";

  function finish() {
    window.BX24.init(function () {
      window.BX24.installFinish();
    });
  }

  // Installing again outside the installer does nothing by itself, so a line that says what to do appears after a while.
  window.setTimeout(function () {
    document.getElementById("install-stuck").hidden = false;
  }, 5000);

  if (window.BX24) {
    finish();
  } else {
    document.getElementById("bx24").addEventListener("load", finish, { once: true });
  }
})();
