// What Chainlit's page leaves out for people with a keyboard, a screen reader or a small screen,
// and the marking of quoted words in a source. It only adds names, roles and focus to the page.
(() => {
  "use strict";

  const NAMES = [
    ["#new-chat-button", "New chat"],
    ["#chat-submit", "Send the question"],
    ["#stop-button", "Stop answering"],
    ["#chat-settings-open-modal", "Filters"],
    ["#user-nav-button", "Your account"],
    ["#chat-input", "Your question"],
    ["button:has(> svg.lucide-copy), button:has(> svg.lucide-check)", "Copy the answer with its sources"],
    ["button:has(> svg.lucide-refresh-cw)", "Ask again for another answer"],
    ["button:has(> svg.lucide-arrow-down)", "Go to the newest message"],
    ["button:has(> svg.lucide-thumbs-up)", "Helpful"],
    ["button:has(> svg.lucide-thumbs-down)", "Not helpful"],
    ["#side-view-title button, [role=dialog]:has(> #side-view-content) > button", "Close the source"],
    ["[role=separator][tabindex]", "Width of the source"],
  ];
  let marker = null; // the link whose source is asked for, or shown
  let isOpen = false;

  const panel = () => document.getElementById("side-view-content");
  const closer = () =>
    panel()?.closest("[role=dialog]")?.querySelector(":scope > button") ??
    document.querySelector("#side-view-title button");

  function set(element, name, value) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }

  function nameThings() {
    for (const [selector, name] of NAMES)
      for (const element of document.querySelectorAll(selector)) set(element, "aria-label", name);
    const input = document.getElementById("chat-input");
    if (input) {
      set(input, "role", "textbox");
      set(input, "aria-multiline", "true");
    }
    const layout = document.querySelector("[data-panel-group]");
    if (layout) set(layout, "role", "main");
    for (const image of document.querySelectorAll("#welcome-screen img:not([alt])"))
      set(image, "alt", "");
    for (const handle of document.querySelectorAll("[role=separator][aria-controls]"))
      if (!document.getElementById(handle.getAttribute("aria-controls")))
        handle.removeAttribute("aria-controls");
    for (const input of document.querySelectorAll("#chat-settings [cmdk-input]")) {
      const list = input.closest("[cmdk-root]")?.querySelector("[cmdk-list]");
      set(input, "aria-label", input.closest(".space-y-2")?.querySelector("label")?.textContent ?? "");
      set(input, "aria-expanded", String(Boolean(list)));
      if (list) set(input, "aria-controls", list.id);
      else input.removeAttribute("aria-controls");
    }
    for (const step of document.querySelectorAll("[data-step-type] h3[data-orientation]"))
      set(step, "aria-level", "2");
    for (const link of document.querySelectorAll("a.element-link")) {
      set(link, "role", "button");
      set(link, "aria-label", `Source ${link.textContent.replace(/\D/g, "")}`);
    }
  }

  // Text that arrives piece by piece is read out once it is whole.
  const heading = document.createElement("h1");
  const status = document.createElement("div");
  let answering = false;

  function addSpoken() {
    const header = document.createElement("header");
    header.className = "only-heard";
    heading.textContent = document.title;
    status.setAttribute("role", "status");
    header.append(heading, status);
    document.body.prepend(header);
  }

  function tell() {
    const runs = document.getElementById("stop-button") !== null;
    if (runs === answering) return;
    answering = runs;
    const answers = document.querySelectorAll("[data-step-type=assistant_message] .message-content");
    status.textContent = runs ? "Looking it up." : (answers[answers.length - 1]?.textContent ?? "");
  }

  // Chainlit opens all sources whenever some arrive. Here one opens when somebody asks for it.
  function holdPanel() {
    const shown = panel();
    if (!shown) {
      // The page may change once more before the source that was asked for is there.
      if (!isOpen) return;
      isOpen = false;
      if (marker?.isConnected) marker.focus({ preventScroll: true });
      marker = null;
      return;
    }
    if (!marker || shown.children.length > 1) {
      marker = null;
      isOpen = false;
      closer()?.click();
      return;
    }
    isOpen = true;
    const dialog = shown.closest("[role=dialog]");
    if (dialog) set(dialog, "aria-labelledby", "side-view-title");
    const frame = shown.closest("aside");
    if (frame) {
      set(frame, "role", "region");
      set(frame, "aria-label", "Source");
    }
    set(shown, "tabindex", "-1");
    if (!shown.dataset.reached) {
      shown.dataset.reached = "yes";
      shown.focus({ preventScroll: true });
    }
    markQuotes(shown);
  }

  // Words are compared without white space, which Markdown and the page lay out differently.
  function markQuotes(shown) {
    if (!window.Highlight || !CSS.highlights) return;
    const rule = shown.querySelector("[data-orientation=horizontal]");
    const quotes = [...shown.querySelectorAll("blockquote")].filter(
      (quote) => rule && quote.compareDocumentPosition(rule) & Node.DOCUMENT_POSITION_FOLLOWING,
    );
    const places = [];
    let letters = "";
    const walker = document.createTreeWalker(shown, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (!rule || !(rule.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
      for (let at = 0; at < node.data.length; at++) {
        if (/\s/.test(node.data[at])) continue;
        letters += node.data[at];
        places.push([node, at]);
      }
    }
    const ranges = [];
    for (const quote of quotes) {
      const wanted = quote.textContent.replace(/\s/g, "");
      const start = wanted ? letters.indexOf(wanted) : -1;
      if (start < 0) continue;
      const range = new Range();
      range.setStart(...places[start]);
      const [last, at] = places[start + wanted.length - 1];
      range.setEnd(last, at + 1);
      ranges.push(range);
    }
    CSS.highlights.set("quoted", new Highlight(...ranges));
  }

  document.addEventListener(
    "click",
    (event) => {
      const link = event.target.closest?.("a.element-link");
      if (!link) return;
      event.preventDefault();
      marker = link;
      delete panel()?.dataset.reached;
    },
    true,
  );

  document.addEventListener("keydown", (event) => {
    const link = event.target.closest?.("a.element-link");
    if (link && event.key === " ") {
      event.preventDefault();
      link.click();
    }
    if (event.key === "Escape" && panel() && !document.querySelector("[role=dialog]"))
      closer()?.click();
  });

  let waiting = false;
  function look() {
    waiting = false;
    nameThings();
    tell();
    holdPanel();
  }
  addSpoken();
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(look);
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
