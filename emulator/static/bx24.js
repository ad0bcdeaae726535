/*
 * BX24: stand-in for the script that portals serve at `https://api.bitrix24.com/api/v1/`.
 *
 * Same public functions, same surprises (facts/platform 6): it works only inside the frame of a portal, finds that
 * portal in `window.name` (`domain|protocol|appSid`), and talks to it in one-line messages:
 *
 *   to the portal    command:{"json":"parameters"}:callbackKey:appSid      (empty parameters are left out)
 *   from the portal  callbackKey:{"json":"answer"}
 */
(function (global) {
  "use strict";

  const nameParts = String(global.name || "").split("|");
  const appSid = nameParts[2] || "";
  const domain = (nameParts[0] || "").replace(/:(80|443)$/, "");
  const origin = (Number.parseInt(nameParts[1], 10) === 1 ? "https://" : "http://") + domain;

  const pending = new Map(); // callback key -> function of the answer
  let callbackCount = 0;
  let portal = null; // what the portal told at the handshake
  let started = false; // the `init` callbacks have run
  const auth = { accessToken: null, refreshToken: null, expiresAt: 0 };
  const onInit = [];
  const onInstall = [];

  /* ---- messages ---- */

  function send(command, parameters, callback) {
    callbackCount += 1;
    const key = "bx24-" + callbackCount + "-" + Math.random().toString(36).slice(2);
    if (typeof callback === "function") {
      pending.set(key, callback);
    }
    const hasParameters = parameters !== null && parameters !== undefined && parameters !== "";
    const text = hasParameters ? JSON.stringify(parameters) : "";
    global.parent.postMessage([command, text, key, appSid].filter(Boolean).join(":"), origin);
  }

  function receive(event) {
    if (event.origin !== origin || event.source !== global.parent || typeof event.data !== "string") {
      return;
    }
    const colon = event.data.indexOf(":");
    const key = colon < 0 ? event.data : event.data.slice(0, colon);
    const text = colon < 0 ? "" : event.data.slice(colon + 1);
    const callback = pending.get(key);
    if (callback) {
      pending.delete(key);
      callback(text === "" ? undefined : JSON.parse(text));
    }
  }

  /* ---- start ---- */

  function takeTokens(data) {
    auth.accessToken = data.AUTH_ID;
    auth.refreshToken = data.REFRESH_ID;
    auth.expiresAt = Date.now() + Number.parseInt(data.AUTH_EXPIRES, 10) * 1000;
  }

  function runInitCallbacks() {
    started = true;
    onInit.splice(0).forEach(function (callback) { callback(); });
  }

  // With an `install` handler the first run belongs to it alone, until it calls `installFinish`.
  function start() {
    const firstRun = portal.FIRST_RUN || portal.INSTALL;
    if (portal.FIRST_RUN) {
      send("setInstall", { install: true });
    }
    if (firstRun && onInstall.length > 0) {
      onInstall.splice(0).forEach(function (callback) { callback(); });
    } else {
      runInitCallbacks();
    }
  }

  function whenDocumentIsReady(callback) {
    if (global.document.readyState === "loading") {
      global.document.addEventListener("DOMContentLoaded", function () { callback(); }, { once: true });
    } else {
      global.setTimeout(callback, 0);
    }
  }

  /* ---- REST ---- */

  function appendField(form, name, value) {
    if (value === null || value === undefined) {
      return;
    }
    if (typeof value === "object" && !(value instanceof Date)) {
      Object.keys(value).forEach(function (key) { appendField(form, name + "[" + key + "]", value[key]); });
    } else if (typeof value === "boolean") {
      form.append(name, value ? "1" : "0");
    } else {
      form.append(name, value instanceof Date ? value.toISOString() : String(value));
    }
  }

  function encode(parameters) {
    const form = new URLSearchParams();
    Object.keys(parameters || {}).forEach(function (name) { appendField(form, name, parameters[name]); });
    return form;
  }

  class AjaxError {
    constructor(status, answer) {
      this.status = status;
      this.ex = answer;
    }

    getError() { return this.ex; }

    getStatus() { return this.status; }

    toString() {
      return this.ex.error + (this.ex.error_description ? ": " + this.ex.error_description : "") + " (" + this.status + ")";
    }
  }

  // Like the real one it knows errors in the root only: an error inside `result` looks like data (facts/biconnector 1.3).
  class AjaxResult {
    constructor(answer, query, status) {
      this.answer = answer;
      this.query = query;
      this.status = status;
    }

    data() { return this.answer.result; }

    time() { return this.answer.time; }

    error() {
      return this.answer.error ? new AjaxError(this.status, this.answer) : undefined;
    }

    error_description() { return this.answer.error_description; }

    total() { return Number.parseInt(this.answer.total, 10); }

    more() { return this.answer.next !== undefined && !Number.isNaN(Number.parseInt(this.answer.next, 10)); }

    next(callback) {
      if (!this.more()) {
        return false;
      }
      const following = Object.assign({}, this.query.data, { start: this.answer.next });
      BX24.callMethod(this.query.method, following, callback || this.query.callback);
      return true;
    }
  }

  async function post(method, parameters) {
    const form = encode(parameters);
    form.set("auth", auth.accessToken);
    try {
      const response = await global.fetch(origin + portal.PATH + "/" + encodeURIComponent(method) + ".json", {
        method: "POST",
        body: form,
        credentials: "omit",
      });
      return { status: response.status, answer: await response.json() };
    } catch (problem) {
      return { status: 0, answer: { error: "network_error", error_description: String(problem) } };
    }
  }

  function refreshed() {
    return new Promise(function (resolve) { BX24.refreshAuth(resolve); });
  }

  // Renews by itself: before the call when the moment has passed, after it when the portal says so, once.
  async function call(method, parameters) {
    if (auth.expiresAt <= Date.now()) {
      await refreshed();
    }
    const first = await post(method, parameters);
    if (first.status === 401 && ["expired_token", "invalid_token"].includes(first.answer.error)) {
      await refreshed();
      return post(method, parameters);
    }
    return first;
  }

  function commandOf(entry) {
    const method = Array.isArray(entry) ? entry[0] : entry.method;
    const parameters = Array.isArray(entry) ? entry[1] : entry.params;
    return { method: method, data: parameters || {}, text: method + "?" + encode(parameters).toString() };
  }

  function resultsOf(commands, reply) {
    const result = (reply.answer.result || {});
    const results = Array.isArray(commands) ? [] : {};
    const part = function (name, key) { return result[name] ? result[name][key] : undefined; };
    Object.keys(commands).forEach(function (key) {
      if (part("result", key) === undefined && part("result_error", key) === undefined) {
        return;
      }
      const answer = Object.assign({}, part("result_error", key), {
        result: part("result", key),
        total: part("result_total", key),
        next: part("result_next", key),
        time: part("result_time", key),
      });
      results[key] = new AjaxResult(answer, commands[key], reply.status);
    });
    return results;
  }

  /* ---- size ---- */

  function scrollSize() {
    const root = global.document.documentElement;
    return {
      scrollWidth: Math.max(root.scrollWidth, root.offsetWidth),
      scrollHeight: Math.max(root.scrollHeight, root.offsetHeight),
    };
  }

  function option(command, store) {
    return {
      get: function (name) { return (portal[store] || {})[name]; },
      set: function (name, value, callback) {
        portal[store] = Object.assign({}, portal[store], { [name]: value });
        send(command, { name: name, value: value }, callback);
      },
    };
  }

  const BX24 = {
    init: function (callback) {
      if (typeof callback !== "function") {
        return;
      }
      if (started) {
        global.setTimeout(callback, 0);
      } else {
        onInit.push(callback);
      }
    },

    install: function (callback) {
      if (typeof callback === "function" && portal === null) {
        onInstall.push(callback);
      }
    },

    // In the installer: the portal marks the app as installed and opens it anew. Elsewhere: nothing.
    installFinish: function () {
      if (portal === null) {
        return;
      }
      if (portal.INSTALL) {
        send("setInstallFinish", {});
      } else if (!started) {
        runInitCallbacks();
      }
    },

    // `expires_in` is the moment of expiry in milliseconds, whatever its name says.
    getAuth: function () {
      if (portal === null || auth.expiresAt <= Date.now()) {
        return false;
      }
      return {
        access_token: auth.accessToken,
        refresh_token: auth.refreshToken,
        expires_in: auth.expiresAt,
        domain: domain,
        member_id: portal.MEMBER_ID,
      };
    },

    refreshAuth: function (callback) {
      send("refreshAuth", {}, function (data) {
        if (data && data.AUTH_ID) {
          takeTokens(data);
        } else {
          auth.expiresAt = 0;
        }
        if (typeof callback === "function") {
          callback(BX24.getAuth());
        }
      });
    },

    callMethod: function (method, parameters, callback) {
      const query = { method: method, data: parameters || {}, callback: callback };
      call(method, parameters).then(function (reply) {
        if (typeof callback === "function") {
          callback(new AjaxResult(reply.answer, query, reply.status));
        }
      });
    },

    callBatch: function (calls, callback, haltOnError) {
      const commands = Array.isArray(calls) ? [] : {};
      const texts = {};
      Object.keys(calls).forEach(function (key) {
        commands[key] = commandOf(calls[key]);
        texts[key] = commands[key].text;
      });
      call("batch", { halt: haltOnError ? 1 : 0, cmd: texts }).then(function (reply) {
        if (typeof callback !== "function") {
          return;
        }
        const failed = Boolean(reply.answer.error);
        callback(failed ? new AjaxResult(reply.answer, { method: "batch" }, reply.status) : resultsOf(commands, reply));
      });
    },

    getScrollSize: scrollSize,

    fitWindow: function (callback) {
      send("resizeWindow", { width: "100%", height: scrollSize().scrollHeight }, callback);
    },

    resizeWindow: function (width, height, callback) {
      send("resizeWindow", { width: width, height: height }, callback);
    },

    scrollParentWindow: function (top, callback) {
      send("setScroll", { scroll: Math.max(0, Number.parseInt(top, 10) || 0) }, callback);
    },

    setTitle: function (title, callback) {
      send("setTitle", { title: String(title) }, callback);
    },

    // Settings of the slider (`bx24_title`, `bx24_width`) may stand among the parameters or come last.
    openApplication: function (parameters, callback, settings) {
      const all = Object.assign({}, parameters);
      Object.keys(settings || {}).forEach(function (name) {
        all[name.startsWith("bx24_") ? name : "bx24_" + name] = settings[name];
      });
      send("openApplication", all, callback);
    },

    closeApplication: function (callback) {
      send("closeApplication", {}, callback);
    },

    openPath: function (path, callback) {
      send("openPath", { path: String(path) }, callback);
    },

    reloadWindow: function (callback) {
      send("reloadWindow", {}, callback);
    },

    getLang: function () { return portal ? portal.LANG : undefined; },

    getDomain: function () { return domain; },

    isAdmin: function () { return Boolean(portal && portal.IS_ADMIN); },

    ready: whenDocumentIsReady,

    placement: {
      info: function () {
        return { placement: portal ? portal.PLACEMENT : undefined, options: portal ? portal.PLACEMENT_OPTIONS : {} };
      },
      getInterface: function (callback) { send("getInterface", {}, callback); },
      call: function (command, parameters, callback) { send(command, parameters, callback); },
      bindEvent: function (event, callback) { send("placementBindEvent", { event: event }, callback); },
    },

    appOption: option("setAppOption", "APP_OPTIONS"),
    userOption: option("setUserOption", "USER_OPTIONS"),
  };

  global.BX24 = BX24;
  if (!domain || !appSid || global.parent === global) {
    throw new Error("Unable to initialize Bitrix24 JS library!");
  }
  global.addEventListener("message", receive);
  send("getInitData", {}, function (data) {
    portal = data;
    takeTokens(data);
    whenDocumentIsReady(start);
  });
})(window);
