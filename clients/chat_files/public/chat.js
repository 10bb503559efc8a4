// What Chainlit's page leaves out for people with a keyboard, a screen reader or a small screen, the
// marking of quoted words in a source, and what is copied and typed. It adds to the page and takes
// nothing away.
(() => {
  "use strict";

  const WORDS = {
    en: {
      newChat: "New chat",
      send: "Send the question",
      stop: "Stop answering",
      filters: "Filters",
      account: "Your account",
      question: "Your question",
      copy: "Copy the answer with its sources",
      copyCode: "Copy the code",
      again: "Ask again for another answer",
      newest: "Go to the newest message",
      helpful: "Helpful",
      notHelpful: "Not helpful",
      close: "Close the source",
      width: "Width of the source",
      source: "Source",
      sources: "Sources",
      looking: "Looking it up.",
    },
    de: {
      newChat: "Neuer Chat",
      send: "Frage senden",
      stop: "Antwort abbrechen",
      filters: "Filter",
      account: "Ihr Konto",
      question: "Ihre Frage",
      copy: "Antwort mit Quellen kopieren",
      copyCode: "Code kopieren",
      again: "Noch einmal fragen",
      newest: "Zur neuesten Nachricht",
      helpful: "Hilfreich",
      notHelpful: "Nicht hilfreich",
      close: "Quelle schließen",
      width: "Breite der Quelle",
      source: "Quelle",
      sources: "Quellen",
      looking: "Wird nachgeschlagen.",
    },
    fr: {
      newChat: "Nouvelle conversation",
      send: "Envoyer la question",
      stop: "Arrêter la réponse",
      filters: "Filtres",
      account: "Votre compte",
      question: "Votre question",
      copy: "Copier la réponse avec ses sources",
      copyCode: "Copier le code",
      again: "Demander une autre réponse",
      newest: "Aller au dernier message",
      helpful: "Utile",
      notHelpful: "Pas utile",
      close: "Fermer la source",
      width: "Largeur de la source",
      source: "Source",
      sources: "Sources",
      looking: "Recherche en cours.",
    },
  };
  // Chainlit goes by the browser's language, too.
  const words = WORDS[navigator.language.slice(0, 2).toLowerCase()] ?? WORDS.en;
  const COPY = "button:has(> svg.lucide-copy), button:has(> svg.lucide-check)";
  const NAMES = [
    ["#new-chat-button", words.newChat],
    ["#chat-submit", words.send],
    ["#stop-button", words.stop],
    ["#chat-settings-open-modal", words.filters],
    ["#user-nav-button", words.account],
    ["#chat-input", words.question],
    [COPY, words.copyCode],
    [`.ai-message :is(${COPY}):not(.message-content *)`, words.copy],
    ["button:has(> svg.lucide-refresh-cw)", words.again],
    ["button:has(> svg.lucide-arrow-down)", words.newest],
    ["button:has(> svg.lucide-thumbs-up)", words.helpful],
    ["button:has(> svg.lucide-thumbs-down)", words.notHelpful],
    ["#side-view-title button, [role=dialog]:has(> #side-view-content) > button", words.close],
    ["[role=separator][tabindex]", words.width],
  ];
  let place = -1; // of the link whose source is asked for, or shown: links are made anew
  let isOpen = false;

  const links = () => [...document.querySelectorAll("a.element-link")];

  const panel = () => document.getElementById("side-view-content");
  const closer = () =>
    panel()?.closest("[role=dialog]")?.querySelector(":scope > button") ??
    document.querySelector("#side-view-title button");

  function set(element, name, value) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }

  function nameThings() {
    const names = new Map();
    for (const [selector, name] of NAMES)
      for (const element of document.querySelectorAll(selector)) names.set(element, name);
    for (const [element, name] of names) set(element, "aria-label", name);
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
      set(link, "aria-label", `${words.source} ${link.textContent.replace(/\D/g, "")}`);
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
    status.textContent = runs ? words.looking : (answers[answers.length - 1]?.textContent ?? "");
  }

  // Chainlit opens all sources whenever some arrive. Here one opens when somebody asks for it.
  function holdPanel() {
    const shown = panel();
    if (!shown) {
      // The page may change once more before the source that was asked for is there.
      if (!isOpen) return;
      isOpen = false;
      links()[place]?.focus({ preventScroll: true });
      place = -1;
      return;
    }
    if (isOpen && place >= 0 && shown.children.length > 1) {
      links()[place]?.click(); // those of a new answer came while somebody reads this one
      return;
    }
    if (place < 0 || shown.children.length > 1) {
      place = -1;
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
      place = links().indexOf(link);
      if (event.isTrusted) delete panel()?.dataset.reached;
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

  // Chainlit has one field on the first page and another below messages; what is in the first
  // would be lost when a message arrives that nobody asked for.
  let field = null;
  let typed = "";

  function keepTyped() {
    const input = document.getElementById("chat-input");
    if (!input || input === field) return;
    field = input;
    if (!typed || input.value) return;
    const { set: write } = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value");
    write.call(input, typed); // as the browser does, or React does not see it
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function isSent() {
    const button = document.getElementById("chat-submit");
    if (button && !button.disabled) typed = "";
  }

  document.addEventListener(
    "input",
    (event) => {
      if (event.target.id === "chat-input") typed = event.target.value;
    },
    true,
  );
  document.addEventListener(
    "keydown",
    (event) => {
      const isEnter = event.key === "Enter" && !event.shiftKey && !event.isComposing;
      if (isEnter && event.target.id === "chat-input") isSent();
    },
    true,
  );
  document.addEventListener(
    "click",
    (event) => {
      if (event.target.closest?.("#chat-submit")) isSent();
    },
    true,
  );

  // What is copied is Markdown that goes elsewhere: without the signs that keep this page from
  // reading a title as Markdown, and with addresses that can be read.
  const LINK = /\[((?:\\.|[^\]\\])*)\]\(<([^>]*)>\)/g;
  const CODE = /(^(`{3,}|~{3,})[^]*?(?:^\2|$(?![^]))|(`+)(?!`)[^]*?\3)/m;

  function toCopy(markdown) {
    const [answer, sources] = markdown.split(/\n\nSources: (?=\[\d+\] [^\n]*$)/);
    const listed = sources?.split(/ · (?=\[\d+\] )/).map(withoutSigns) ?? [];
    return [withoutSigns(answer), ...(sources ? ["", `${words.sources}:`, ...listed] : [])].join("\n");
  }

  function withoutSigns(markdown) {
    const [, code] = CODE.exec(markdown) ?? [];
    if (!code) return markdown.replace(LINK, "$1 <$2>").replace(/\\([\\`*_[\]<>#|~:!])/g, "$1");
    const at = markdown.indexOf(code);
    const [before, after] = [markdown.slice(0, at), markdown.slice(at + code.length)];
    return withoutSigns(before) + code + withoutSigns(after);
  }

  function withoutButtons(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    for (const link of page.querySelectorAll("a.element-link")) link.replaceWith(link.textContent);
    return page.body.innerHTML;
  }

  const changed = (item, type, change) =>
    item.getType(type).then((blob) => blob.text()).then((text) => new Blob([change(text)], { type }));

  const write = navigator.clipboard?.write?.bind(navigator.clipboard);
  if (write)
    navigator.clipboard.write = ([item]) =>
      write([
        new ClipboardItem({
          "text/plain": changed(item, "text/plain", toCopy),
          "text/html": changed(item, "text/html", withoutButtons),
        }),
      ]);

  let waiting = false;
  function look() {
    waiting = false;
    keepTyped();
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
