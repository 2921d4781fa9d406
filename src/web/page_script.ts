/**
 * The script of the page. Without it the page is complete, and stands still.
 *
 * It asks for the same page again and puts the sections that changed in the place of those that are
 * there. A section in which somebody is (the focus, or a selection) is left until they have gone. The
 * answer is parsed by the browser as a document of its own, in which nothing runs.
 */
export const SCRIPT = `"use strict";
(() => {
  const EVERY_MS = 5000;
  const PATIENCE_MS = 10000;
  const byId = (id) => document.getElementById(id);
  const news = byId("news");
  const pause = byId("pause");
  let stopped = false;
  let answeredAt = Date.now();

  const showButtons = (root) => {
    for (const button of root.querySelectorAll("button[data-copies]")) button.hidden = false;
  };

  const isInUse = (section) => {
    const selection = document.getSelection();
    return section.contains(document.activeElement) ||
      selection !== null && !selection.isCollapsed && selection.containsNode(section, true);
  };

  const replace = (old, fresh) => {
    const open = new Set([...old.querySelectorAll("details[open][id]")].map(({ id }) => id));
    const node = document.importNode(fresh, true);
    for (const details of node.querySelectorAll("details[id]")) details.open = open.has(details.id);
    showButtons(node);
    old.replaceWith(node);
  };

  const take = (fresh) => {
    const main = byId("main");
    const before = byId("standing-heading")?.textContent;
    let last = null;
    const kept = new Set();
    for (const section of fresh.querySelectorAll("main > section[id]")) {
      kept.add(section.id);
      const old = byId(section.id);
      if (old === null) {
        const node = document.importNode(section, true);
        showButtons(node);
        if (last === null) main.append(node);
        else last.after(node);
      } else if (!old.isEqualNode(section) && !isInUse(old)) replace(old, section);
      last = byId(section.id);
    }
    for (const section of main.querySelectorAll(":scope > section[id]")) {
      if (!kept.has(section.id) && !isInUse(section)) section.remove();
    }
    document.title = fresh.title;
    const now = byId("standing-heading")?.textContent;
    if (now !== before) news.textContent = now ?? "";
  };

  const sayAge = () => {
    const seconds = Math.round((Date.now() - answeredAt) / 1000);
    const isOld = !stopped && seconds * 1000 > EVERY_MS + PATIENCE_MS;
    const says = stopped
      ? "Updates are paused. What this page shows is " + seconds + " seconds old."
      : isOld
      ? "The monitor has not answered for " + seconds + " seconds. What this page shows is as old."
      : "This page updates itself.";
    const age = byId("age");
    if (age.textContent !== says) age.textContent = says;
    if (isOld && !document.body.classList.contains("old")) {
      news.textContent = "The monitor does not answer. What this page shows is old.";
    }
    document.body.classList.toggle("old", isOld);
  };

  const ask = () => {
    if (stopped || document.hidden) return again();
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.timeout = PATIENCE_MS;
    request.onload = () => {
      if (request.status !== 200 || request.response === null) return;
      answeredAt = Date.now();
      take(request.response);
    };
    request.onloadend = again;
    request.send();
  };

  const again = () => {
    sayAge();
    setTimeout(ask, EVERY_MS);
  };

  const copy = async (button) => {
    const code = byId(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(code.textContent);
      news.textContent = "Copied.";
      button.firstChild.data = "Copied";
    } catch {
      // Without a secure connection a browser does not copy: then the command is selected.
      document.getSelection().selectAllChildren(code);
      news.textContent = "Selected. Copy it with your keyboard.";
      button.firstChild.data = "Selected";
    }
    setTimeout(() => {
      button.firstChild.data = "Copy";
    }, 2000);
  };

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button === pause) {
      stopped = !stopped;
      pause.textContent = stopped ? "Resume updates" : "Pause updates";
      sayAge();
    } else if (button?.dataset.copies !== undefined) void copy(button);
  });
  showButtons(document);
  if (byId("standing") === null) return;
  byId("live").hidden = false;
  setInterval(sayAge, 1000);
  again();
})();
`;
