// A message's text with its entities, as DOM nodes. Offsets are UTF-16 units, as in JavaScript.
// Nothing here is ever read as HTML: text goes into text nodes, addresses only into checked links.

const TAGS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote",
};
const BLOCKS = new Set(["BLOCKQUOTE", "PRE"]);
const SAFE_LINKS = new Set(["http:", "https:", "mailto:", "tel:", "tg:"]);

export function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

/** The text as a fragment. `acts` has `sendText(text)` and `openLink(url)`. */
export function richText(text, entities, acts) {
  const sorted = [...(entities ?? [])].sort((a, b) => a.offset - b.offset || b.length - a.length);
  return build(text, 0, text.length, sorted, acts);
}

/** What stands between `from` and `to`; `entities` are sorted, outer ones first. */
function build(text, from, to, entities, acts) {
  const fragment = document.createDocumentFragment();
  let at = from;
  for (let index = 0; index < entities.length;) {
    const entity = entities[index];
    const start = Math.max(at, entity.offset);
    const end = Math.min(to, entity.offset + entity.length);
    let next = index + 1;
    while (next < entities.length && entities[next].offset < end) next += 1;
    if (start < end) {
      if (start > at) fragment.append(text.slice(at, start));
      const node = wrap(entity, text.slice(start, end), acts);
      node.append(build(text, start, end, entities.slice(index + 1, next), acts));
      fragment.append(node);
      // A block ends its line by itself.
      at = BLOCKS.has(node.tagName) && text[end] === "\n" ? end + 1 : end;
      next = Math.max(index + 1, firstFrom(entities, index + 1, end));
    }
    index = next;
  }
  if (at < to) fragment.append(text.slice(at, to));
  return fragment;
}

function firstFrom(entities, index, offset) {
  let next = index;
  while (next < entities.length && entities[next].offset < offset) next += 1;
  return next;
}

function wrap(entity, words, acts) {
  if (entity.type === "spoiler") return spoiler();
  if (entity.type === "bot_command") {
    const button = make("button", "command");
    button.type = "button";
    button.addEventListener("click", () => acts.sendText(words));
    return button;
  }
  if (entity.type in TAGS) {
    const node = make(TAGS[entity.type]);
    if (entity.type === "expandable_blockquote") expandable(node);
    if (entity.type === "pre" && entity.language) node.dataset.language = entity.language;
    return node;
  }
  const address = addressOf(entity, words);
  return address === null ? make("span", `entity ${entity.type}`) : link(address, acts);
}

function addressOf(entity, words) {
  if (entity.type === "text_link") return entity.url;
  if (entity.type === "email") return `mailto:${words}`;
  if (entity.type === "mention") return `https://t.me/${words.slice(1)}`;
  if (entity.type !== "url") return null;
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(words) ? words : `http://${words}`;
}

/** The address as a URL, or null for one that no link may have, such as `javascript:`. */
export function safeUrl(address) {
  try {
    const url = new URL(address);
    return SAFE_LINKS.has(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

function link(address, acts) {
  const url = safeUrl(address);
  if (url === null) return make("span");
  const node = make("a");
  node.href = url.href;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  node.addEventListener("click", (event) => {
    if (acts.openLink(url)) event.preventDefault();
  });
  return node;
}

function spoiler() {
  const node = make("span", "spoiler");
  node.tabIndex = 0;
  node.setAttribute("role", "button");
  node.setAttribute("aria-label", "Hidden text, press to show");
  const show = (event) => {
    if (node.classList.contains("shown")) return;
    event.preventDefault();
    event.stopPropagation();
    node.classList.add("shown");
    node.removeAttribute("role");
    node.removeAttribute("aria-label");
  };
  node.addEventListener("click", show, true);
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter") show(event);
  });
  return node;
}

function expandable(node) {
  node.classList.add("expandable");
  node.addEventListener("click", () => node.classList.toggle("expanded"));
}
