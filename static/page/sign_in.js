/**
 * The page after a sign-in tells the connect window, in whatever tab that is, to go on. It is
 * no module of Odoo's: the page loads nothing else. See static/src/connect/external_account_sign_in.js.
 */
(() => {
    const main = document.querySelector("main[data-window]");
    if (!main || !window.BroadcastChannel) {
        return;
    }
    const windowId = Number(main.dataset.window);
    const channel = new BroadcastChannel("mail_external_account.sign_in");
    channel.addEventListener("message", ({ data }) => {
        if (data && data.taken === windowId) {
            main.querySelector(".answered").hidden = false;
            main.querySelector(".buttons").hidden = true;
        }
    });
    channel.postMessage({ done: windowId });
})();
