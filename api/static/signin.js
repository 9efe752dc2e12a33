/** Asking for a key until one is accepted; the service answers with a cookie that scripts cannot read. */

import { $ } from "/static/dom.js";

let signingIn = null;

/** One dialog, however many requests wait for it; `open(key)` resolves to a status. */
export function signIn(open) {
  signingIn ??= ask(open).finally(() => (signingIn = null));
  return signingIn;
}

function ask(open) {
  const dialog = $("sign-in");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  return new Promise((resolve) => {
    const submit = async (event) => {
      event.preventDefault();
      const status = await open($("key").value.trim());
      if (status !== 204) {
        $("wrong-key").textContent = status === 401 ? "That key is not known here." : "Please try again.";
        return;
      }
      dialog.removeEventListener("submit", submit);
      $("key").value = "";
      $("wrong-key").textContent = "";
      dialog.close();
      resolve();
    };
    dialog.addEventListener("submit", submit);
  });
}
