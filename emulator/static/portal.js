/*
 * The portal's side of the frame: opens the application in it and answers what BX24.js asks (see bx24.js for the
 * form of the messages). A message counts only if it comes from the frame's own window, from the application's
 * origin and with the identifier of this rendering (`appSid`).
 */
(function () {
  "use strict";

  const isSlider = document.body.classList.contains("slider-page");

  function postJson(address, value) {
    return fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "same-origin",
      body: JSON.stringify(value),
    }).then(function (response) {
      if (!response.ok) {
        throw new Error(address + " answered " + response.status);
      }
      return response.json();
    });
  }

  function tell(sentence) {
    const toast = document.getElementById("toast");
    if (toast) {
      toast.textContent = sentence;
    }
  }

  /* ---- sliders: pages of the portal above the page, the newest on top ---- */

  const sliders = [];

  function openSlider(address, label, whenClosed, width) {
    const template = document.getElementById("slider-template");
    const dialog = template.content.firstElementChild.cloneNode(true);
    const frame = dialog.querySelector("iframe");
    dialog.setAttribute("aria-label", label);
    frame.title = label;
    frame.src = address;
    if (width > 0) {
      dialog.style.width = "min(" + width + "px, 100%)";
    }
    dialog.querySelector("[data-close]").addEventListener("click", function () { dialog.close(); });
    dialog.addEventListener("close", function () {
      sliders.splice(sliders.findIndex(function (slider) { return slider.dialog === dialog; }), 1);
      dialog.remove();
      whenClosed();
    });
    document.body.append(dialog);
    sliders.push({ dialog: dialog, frame: frame });
    dialog.showModal();
  }

  // A page inside a slider asks the outermost page, so that every slider covers the whole portal.
  window.portalSliders = {
    open: openSlider,
    closeAround: function (inner) {
      const slider = sliders.find(function (candidate) { return candidate.frame.contentWindow === inner; });
      if (slider) {
        slider.dialog.close();
      }
    },
  };

  function outermost() {
    return isSlider ? window.top.portalSliders : window.portalSliders;
  }

  function inSlider(address) {
    const url = new URL(address, window.location.origin);
    url.searchParams.set("IFRAME", "Y");
    return url;
  }

  /* ---- the frame ---- */

  // A message is `command:parameters:key:appSid`; parameters are JSON, may hold colons and may be missing.
  function parse(text) {
    const parts = text.split(":");
    if (parts.length < 3) {
      return null;
    }
    const parameters = parts.slice(1, -2).join(":");
    let value = parameters;
    try {
      value = parameters === "" ? {} : JSON.parse(parameters);
    } catch {
      value = parameters;
    }
    return { command: parts[0], parameters: value, key: parts[parts.length - 2], appSid: parts[parts.length - 1] };
  }

  function cssLength(value) {
    if (typeof value === "string" && /^\d+(\.\d+)?%$/.test(value)) {
      return value;
    }
    const pixels = Number.parseFloat(value);
    return Number.isFinite(pixels) && pixels > 0 ? pixels + "px" : null;
  }

  function commandsOf(stage, iframe, frame) {
    const page = frame.page;
    return {
      getInitData: function (_, reply) { reply(frame.init); },

      refreshAuth: function (_, reply) {
        postJson(page.refresh, {}).then(function (pair) {
          Object.assign(frame.init, pair);
          reply(pair);
        }, function (problem) {
          tell(page.refreshFailed);
          console.warn(problem);
          reply({ error: "refresh_failed" });
        });
      },

      setInstall: function (parameters, reply) {
        postJson(page.firstRun, parameters).then(function () { reply({}); });
      },

      setInstallFinish: function (_, reply) {
        if (!frame.init.INSTALL) {
          reply({});
          return;
        }
        postJson(page.finish, {}).then(function () {
          reply({});
          window.location.assign(isSlider ? inSlider(page.open) : page.open);
        });
      },

      resizeWindow: function (parameters, reply) {
        const width = cssLength(parameters.width);
        const height = cssLength(parameters.height);
        if (width) {
          iframe.style.width = width;
        }
        if (height) {
          iframe.style.height = height;
        }
        reply({ width: iframe.offsetWidth, height: iframe.offsetHeight });
      },

      setScroll: function (parameters, reply) {
        if (!isSlider) {
          window.scrollTo(0, Number(parameters.scroll) || 0);
        }
        reply({});
      },

      setTitle: function (parameters, reply) {
        document.getElementById("page-title").textContent = String(parameters.title);
        reply({});
      },

      openApplication: function (parameters, reply) {
        const address = inSlider(page.open);
        const own = Object.entries(parameters).filter(function (entry) { return !entry[0].startsWith("bx24_"); });
        address.searchParams.set("options", JSON.stringify(Object.fromEntries(own)));
        const title = String(parameters.bx24_title || page.title);
        outermost().open(address.href, title, function () { reply({}); }, Number(parameters.bx24_width));
      },

      closeApplication: function (_, reply) {
        if (isSlider) {
          window.top.portalSliders.closeAround(window);
        }
        reply({});
      },

      openPath: function (parameters, reply) {
        const path = String(parameters.path || "");
        const url = new URL(path, window.location.origin);
        if (!path.startsWith("/") || url.origin !== window.location.origin) {
          reply({ result: "error", errorCode: "PATH_NOT_AVAILABLE" });
          return;
        }
        outermost().open(inSlider(url.href).href, page.title, function () { reply({ result: "close" }); });
      },

      reloadWindow: function (_, reply) {
        reply({});
        window.location.reload();
      },

      setAppOption: function (parameters, reply) {
        postJson(page.option, { kind: "app", name: parameters.name, value: parameters.value }).then(
          function (options) { frame.init.APP_OPTIONS = options; reply(options); },
          function () { reply({ error: "ACCESS_DENIED" }); },
        );
      },

      setUserOption: function (parameters, reply) {
        postJson(page.option, { kind: "user", name: parameters.name, value: parameters.value }).then(
          function (options) { frame.init.USER_OPTIONS = options; reply(options); },
          function () { reply({ error: "ACCESS_DENIED" }); },
        );
      },

      getInterface: function (_, reply) { reply({ command: [], event: [] }); },

      placementBindEvent: function (_, reply) { reply({}); },
    };
  }

  function serve(stage) {
    const iframe = stage.querySelector("iframe");
    const frame = JSON.parse(stage.dataset.frame);
    const commands = commandsOf(stage, iframe, frame);

    window.addEventListener("message", function (event) {
      if (event.source !== iframe.contentWindow || event.origin !== frame.origin || typeof event.data !== "string") {
        return;
      }
      const message = parse(event.data);
      if (message === null || message.appSid !== frame.sid) {
        return;
      }
      const reply = function (value) {
        event.source.postMessage(message.key + ":" + JSON.stringify(value === undefined ? {} : value), event.origin);
      };
      if (Object.hasOwn(commands, message.command)) {
        commands[message.command](message.parameters, reply);
      } else {
        tell(frame.page.unsupported.replace("COMMAND", message.command));
        reply({ result: "error", errorCode: "ERROR_METHOD_NOT_FOUND" });
      }
    });

    const form = stage.querySelector("form");
    form.submit();
    form.hidden = true;
  }

  document.querySelectorAll("[data-frame]").forEach(serve);

  /* ---- comfort on the portal's own pages; everything works without it ---- */

  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.picker[open]").forEach(function (picker) {
      if (!picker.contains(event.target)) {
        picker.open = false;
      }
    });
  });

  document.addEventListener("keydown", function (event) {
    const picker = document.querySelector("details.picker[open]");
    if (event.key === "Escape" && picker) {
      picker.open = false;
      picker.querySelector("summary").focus();
    }
  });

  // A form that comes back begins where the first mistake is.
  document.querySelector('[aria-invalid="true"]')?.focus();

  // Which value fields an operator needs: none for "is null", one line, two for "between", or several lines.
  function fitCondition(condition) {
    const wanted = condition.querySelector("[data-operator]").selectedOptions[0].dataset.values;
    const many = condition.querySelector("[data-many]");
    const one = condition.querySelector("[data-one]");
    condition.querySelector("[data-value]").hidden = wanted === "0";
    condition.querySelector("[data-until]").hidden = wanted !== "2";
    const shown = one.disabled ? many : one;
    const severalTyped = shown === many && many.value.trim().includes("\n");
    const fitting = (wanted === "1" || wanted === "2") && !severalTyped ? one : many;
    if (fitting !== shown) {
      fitting.value = shown.value.trim();
    }
    [many, one].forEach(function (field) { field.hidden = field.disabled = field !== fitting; });
  }

  document.querySelectorAll(".condition").forEach(function (condition) {
    const operator = condition.querySelector("[data-operator]");
    if (operator) {
      fitCondition(condition);
      operator.addEventListener("change", function () { fitCondition(condition); });
    }
  });
})();
