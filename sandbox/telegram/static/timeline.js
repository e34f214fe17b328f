// The list of messages: what is new is added, what is changed is changed in place, and the view
// stays at the bottom when it was there.

import { make } from "./entities.js";
import { bubbleRow, serviceText } from "./bubbles.js";

const NEAR_BOTTOM_PX = 80;
const TOGETHER_S = 300;
const LIT_MS = 1500;

export class Timeline {
  /** `acts` is what the bubbles may do; `onUnread(count)` hears how many are below the view. */
  constructor(scroll, list, acts, onUnread) {
    Object.assign(this, { scroll, list, acts, onUnread });
    this.messages = new Map();
    this.nodes = new Map();
    this.unread = 0;
    this.isAtBottom = true;
    scroll.addEventListener("scroll", () => this.noticeScroll(), { passive: true });
    new ResizeObserver(() => this.stick()).observe(list);
    new ResizeObserver(() => this.stick()).observe(scroll);
  }

  clear() {
    this.messages.clear();
    this.nodes.clear();
    this.list.replaceChildren();
    this.unread = 0;
    this.isAtBottom = true;
  }

  /** What the server tells: changed messages, the ids of deleted ones, and marks on any of them.
   * Returns how many have come from the bot. */
  update(changed, deleted, paid, reactions) {
    const isFirst = this.messages.size === 0;
    let arrived = 0;
    for (const one of changed) {
      const id = one.message.message_id;
      if (!this.messages.has(id) && !one.is_mine) arrived += 1;
      if (!this.messages.has(id) && one.is_mine) this.isAtBottom = true;
      this.messages.set(id, one);
    }
    for (const id of deleted) this.messages.delete(id);
    for (const [id, one] of this.messages) {
      one.is_paid = paid.includes(id);
      one.reactions = reactions[id] ?? [];
    }
    this.draw();
    if (!this.isAtBottom && !isFirst) this.unread += arrived;
    this.onUnread(this.isAtBottom ? 0 : this.unread, this.isAtBottom);
    this.stick();
    return arrived;
  }

  last() {
    return this.sorted().at(-1);
  }

  sorted() {
    return [...this.messages.values()].sort((a, b) => a.message.message_id - b.message.message_id);
  }

  draw() {
    const wanted = unitsOf(this.sorted());
    const keys = new Set(wanted.map((unit) => unit.key));
    for (const [key, node] of this.nodes) {
      if (keys.has(key)) continue;
      node.remove();
      this.nodes.delete(key);
    }
    let before = this.list.firstChild;
    for (const unit of wanted) {
      const old = this.nodes.get(unit.key);
      const node = this.nodeOf(unit, old);
      if (old && before === old) before = node;
      if (before === node) before = before.nextSibling;
      else this.list.insertBefore(node, before);
    }
  }

  /** The unit's node: the old one as long as it looks the same, else a new one in its place. */
  nodeOf(unit, old) {
    const look = JSON.stringify(unit);
    if (old && old.look === look) return old;
    const node = drawn(unit, this.acts);
    node.look = look;
    if (old) {
      keepOpened(old, node);
      old.replaceWith(node);
    }
    this.nodes.set(unit.key, node);
    return node;
  }

  show(messageId) {
    const key = [...this.nodes.keys()].find((one) => one.split(",").includes(`m${messageId}`));
    const node = this.nodes.get(key);
    if (!node) return;
    node.scrollIntoView({ block: "center", behavior: "smooth" });
    node.classList.add("lit");
    setTimeout(() => node.classList.remove("lit"), LIT_MS);
  }

  toBottom() {
    this.isAtBottom = true;
    this.unread = 0;
    this.stick();
    this.onUnread(0, true);
  }

  stick() {
    const { scrollHeight, clientHeight } = this.scroll;
    this.size = `${scrollHeight} ${clientHeight}`;
    if (this.isAtBottom) this.scroll.scrollTop = scrollHeight;
  }

  noticeScroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    // A picture or a keyboard that has just come is not the person scrolling away.
    if (this.isAtBottom && this.size !== `${scrollHeight} ${clientHeight}`) {
      this.stick();
      return;
    }
    this.isAtBottom = scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PX;
    if (this.isAtBottom) this.unread = 0;
    this.onUnread(this.unread, this.isAtBottom);
  }
}

/** Dates, service lines, albums and single messages, in order. A unit's key lasts. */
function unitsOf(messages) {
  const units = [];
  let day = "";
  for (const one of messages) {
    const { message } = one;
    const date = new Date(message.date * 1000).toDateString();
    if (date !== day) units.push({ kind: "day", key: `d${date}`, seconds: message.date });
    day = date;
    const told = serviceText(message);
    const last = units.at(-1);
    if (told !== null) {
      units.push({ kind: "service", key: `m${message.message_id}`, text: told });
    } else if (last.album && last.album === message.media_group_id) {
      last.messages.push(one);
      last.key += `,m${message.message_id}`;
    } else {
      const album = message.media_group_id;
      units.push({ kind: "bubble", key: `m${message.message_id}`, album, messages: [one] });
    }
  }
  units.forEach((unit, index) => {
    if (unit.kind !== "bubble") return;
    unit.isFirst = !areTogether(units[index - 1], unit);
    unit.isLast = !areTogether(unit, units[index + 1]);
  });
  return units;
}

function areTogether(before, after) {
  if (before?.kind !== "bubble" || after?.kind !== "bubble") return false;
  const [one, other] = [before.messages.at(-1), after.messages[0]];
  return one.is_mine === other.is_mine && other.message.date - one.message.date < TOGETHER_S;
}

function drawn(unit, acts) {
  if (unit.kind === "bubble") {
    try {
      return bubbleRow(unit, acts);
    } catch (error) {
      // One odd message must not take the others with it.
      console.error(error);
      unit = { kind: "service", text: "A message that this page cannot show" };
    }
  }
  const row = make("div", "row middle");
  row.append(make("span", "pill", unit.kind === "day" ? dayOf(unit.seconds) : unit.text));
  return row;
}

function dayOf(seconds) {
  const date = new Date(seconds * 1000);
  const today = new Date();
  if (date.toDateString() === today.toDateString()) return "Today";
  const isThisYear = date.getFullYear() === today.getFullYear();
  const year = isThisYear ? {} : { year: "numeric" };
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "long", ...year });
}

/** An edit does not hide again what the person has opened. */
function keepOpened(before, after) {
  for (const selector of [".spoiler", ".cell", ".expandable"]) {
    const olds = before.querySelectorAll(selector);
    after.querySelectorAll(selector).forEach((node, index) => {
      const old = olds[index];
      if (!old) return;
      if (old.classList.contains("shown")) {
        node.classList.remove("covered");
        node.classList.add("shown");
      }
      if (old.classList.contains("expanded")) node.classList.add("expanded");
    });
  }
}
