// The session token: every request of htmx carries it in one header, set here and nowhere else (facts/security 2.3).
// When the session has ended, the portal vouches for its user again through BX24.js, and the request is repeated once.
// Only 401 and 403 of that end a page: whatever else keeps it from being renewed leaves what was typed where it is.
(() => {
  "use strict";

  const keeper = () => document.querySelector('meta[name="app-session"]');
  const token = () => keeper()?.content ?? "";

  function keep(fresh) {
    keeper().content = fresh;
    for (const input of document.querySelectorAll('input[name="_s"]')) input.value = fresh;
  }

  function freshGrant() {
    return new Promise((resolve, reject) => {
      if (!window.BX24?.refreshAuth) return resolve(null);
      const giveUp = setTimeout(() => reject(new TypeError("the portal is silent")), 10000);
      window.BX24.refreshAuth((grant) => {
        clearTimeout(giveUp);
        resolve(grant || null);
      });
    });
  }

  let renewing = null;

  const PAUSES = [500, 2000];

  // Whether the session goes on; throws like fetch while nobody says.
  async function renew() {
    const grant = await freshGrant();
    if (!grant || !token()) return false;
    for (const pause of [...PAUSES, null]) {
      const answer = await exchange(grant).catch(() => null);
      if (answer?.ok) {
        keep((await answer.json()).session);
        return true;
      }
      if (answer?.status === 401 || answer?.status === 403) return false;
      if (pause !== null) await new Promise((resolve) => setTimeout(resolve, pause));
    }
    throw new TypeError("the session could not be renewed now");
  }

  function exchange(grant) {
    return fetch("/session/renew", {
      method: "POST",
      headers: { "X-App-Session": token() },
      body: new URLSearchParams({
        AUTH_ID: grant.access_token,
        REFRESH_ID: grant.refresh_token ?? "",
        member_id: grant.member_id ?? "",
      }),
    });
  }

  // Several requests may meet the end of the session at once: they share one renewal.
  const renewOnce = () => (renewing ??= renew().finally(() => (renewing = null)));

  async function send(address, request) {
    const answer = await fetch(address, request);
    if (answer.status !== 401 || !(await renewOnce())) return answer;
    request.headers["X-App-Session"] = token();
    return fetch(address, request);
  }

  // For scripts that ask for a part of a page themselves.
  window.askApp = (address, request) => send(address, { ...request, headers: { "X-App-Session": token() } });

  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
    ctx.request.headers["X-App-Session"] = token();
    ctx.request.body?.delete("_s");
    ctx.fetch = send;
  });
})();
