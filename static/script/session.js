// The session token: every request of htmx carries it in one header, set here and nowhere else (facts/security 2.3).
// When the session has ended, the portal vouches for its user again through BX24.js, and the request is repeated once.
(() => {
  "use strict";

  const keeper = () => document.querySelector('meta[name="app-session"]');
  const token = () => keeper()?.content ?? "";

  function keep(fresh) {
    keeper().content = fresh;
    for (const input of document.querySelectorAll('input[name="_s"]')) input.value = fresh;
  }

  function freshGrant() {
    return new Promise((resolve) => {
      if (!window.BX24?.refreshAuth) return resolve(null);
      const giveUp = setTimeout(() => resolve(null), 10000);
      window.BX24.refreshAuth((grant) => {
        clearTimeout(giveUp);
        resolve(grant || null);
      });
    });
  }

  let renewing = null;

  async function renew() {
    const grant = await freshGrant();
    if (!grant || !token()) return false;
    const answer = await fetch("/session/renew", {
      method: "POST",
      headers: { "X-App-Session": token() },
      body: new URLSearchParams({
        AUTH_ID: grant.access_token,
        REFRESH_ID: grant.refresh_token ?? "",
        member_id: grant.member_id ?? "",
      }),
    });
    if (!answer.ok) return false;
    keep((await answer.json()).session);
    return true;
  }

  // Several requests may meet the end of the session at once: they share one renewal.
  const renewOnce = () => (renewing ??= renew().catch(() => false).finally(() => (renewing = null)));

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
