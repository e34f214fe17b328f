// One message, or one album, as a bubble. Everything that people and bots have written is put
// into the page as text, through `make` and `richText`.

import { make, richText, safeUrl } from "./entities.js";

const MARKS = { url: "↗\ufe0e", web_app: "▣\ufe0e", copy_text: "⧉\ufe0e" };
const ALBUM_TYPES = ["photo", "video"];
const CLOSED = new Set(["code", "pre", "text_link", "text_mention", "url", "email", "mention",
  "hashtag", "cashtag", "bot_command", "custom_emoji"]);
const ONLY_EMOJI = /^(\p{Extended_Pictographic}|\p{RI}{2}|\u200d|\ufe0f|\p{EMod}){1,12}$/u;
const KIBIBYTE = 1024;

export const fileAddress = (fileId, query) =>
  `/telegram/chat/file/${encodeURIComponent(fileId)}${query}`;

export function clock(seconds) {
  const digits = { hour: "2-digit", minute: "2-digit" };
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", digits);
}

export function sizeOf(bytes) {
  if (!bytes) return "";
  if (bytes < KIBIBYTE) return `${bytes} B`;
  if (bytes < KIBIBYTE ** 2) return `${(bytes / KIBIBYTE).toFixed(1)} KB`;
  return `${(bytes / KIBIBYTE ** 2).toFixed(1)} MB`;
}

/** What a message is about in a few words, for quotes of it. */
export function summary(message) {
  const told = message.text ?? message.caption;
  if (told) return told;
  if (message.photo) return "Photo";
  if (message.video) return "Video";
  if (message.animation) return "GIF";
  if (message.document) return message.document.file_name ?? "File";
  if (message.invoice) return message.invoice.title;
  return "Message";
}

/** Something that happened, told in the middle of the chat; null for an ordinary message. */
export function serviceText(message) {
  if (message.successful_payment) {
    return `You paid ${message.successful_payment.total_amount} Stars`;
  }
  if (message.refunded_payment) {
    return `${message.refunded_payment.total_amount} Stars came back to you`;
  }
  if (message.pinned_message) return `Pinned: ${summary(message.pinned_message).slice(0, 60)}`;
  return null;
}

/** A unit's row. `unit` is `{messages, isFirst, isLast}`: an album has several messages. */
export function bubbleRow(unit, acts) {
  const shown = unit.messages[0];
  const row = make("div", `row ${shown.is_mine ? "mine" : "theirs"}`);
  if (unit.isFirst) row.classList.add("first");
  if (unit.isLast) row.classList.add("last");
  const stack = make("div", "stack");
  stack.append(bubble(unit, acts));
  for (const one of unit.messages) {
    const keyboard = one.message.reply_markup?.inline_keyboard;
    if (keyboard?.length) stack.append(inlineKeyboard(one, keyboard, acts));
  }
  row.append(stack);
  row.addEventListener("dblclick", (event) => {
    if (!event.target.closest("button, a, img, video")) acts.reply(shown);
  });
  return row;
}

function bubble(unit, acts) {
  const { message } = unit.messages[0];
  const node = make("div", "bubble");
  const replied = message.reply_to_message;
  if (replied) node.append(quoteOf(replied, acts));
  const media = mediaOf(unit.messages, acts);
  if (media) node.append(media);
  const captioned = unit.messages.find((one) => one.message.caption);
  const told = message.text ?? captioned?.message.caption ?? "";
  const isBelow = !captioned?.message.show_caption_above_media;
  if (told) {
    const source = message.text === undefined ? captioned : unit.messages[0];
    const text = make("div", "text");
    text.append(richText(told, allEntities(source), acts));
    if (isOnlyEmoji(told) && !media && !replied) node.classList.add("emoji");
    if (isBelow) node.append(text);
    else node.prepend(text);
  }
  if (message.invoice) node.append(invoice(message.invoice));
  const preview = message.text && linkPreview(message, acts);
  if (preview) node.append(preview);
  if (media?.classList.contains("visual")) {
    node.classList.add(told && isBelow ? "over-text" : "bare");
  }
  if (!told && !media && !message.invoice) {
    node.append(make("div", "text unknown", strange(message)));
  }
  const reactions = unit.messages.flatMap((one) => one.reactions ?? []);
  if (reactions.length) node.append(reactionsOf(reactions));
  node.append(stamp(unit.messages));
  return node;
}

/** The message's own entities, and what apps mark by themselves where they leave room for it. */
function allEntities({ message, spans }) {
  const own = message.entities ?? message.caption_entities ?? [];
  const closed = own.filter((one) => CLOSED.has(one.type));
  const free = spans.filter((span) => closed.every((one) =>
    span.offset >= one.offset + one.length || one.offset >= span.offset + span.length));
  return [...own, ...free];
}

function stamp(messages) {
  const { message } = messages[0];
  const node = make("span", "stamp");
  // As in Telegram's apps, a menu that changes under one's fingers is not called edited.
  const isEdited = messages.some((one) => one.message.edit_date && !one.message.reply_markup);
  if (isEdited) node.append(make("span", "", "edited "));
  const time = make("time", "", clock(message.date));
  time.dateTime = new Date(message.date * 1000).toISOString();
  node.append(time);
  return node;
}

function quoteOf(replied, acts) {
  const node = make("button", "quote");
  node.type = "button";
  node.append(make("b", "", replied.from?.first_name ?? ""));
  node.append(make("span", "", summary(replied).slice(0, 120)));
  node.addEventListener("click", () => acts.showMessage(replied.message_id));
  return node;
}

function mediaOf(shown, acts) {
  const visual = shown.filter((one) => ALBUM_TYPES.some((type) => one.message[type]));
  if (visual.length) {
    const count = Math.min(visual.length, 10);
    const grid = make("div", `visual album of-${count}`);
    for (const one of visual) grid.append(visualOf(one, visual.length > 1, acts));
    return grid;
  }
  const others = shown.map((one) => other(one.message, acts)).filter(Boolean);
  if (!others.length) return null;
  if (others.length === 1) return others[0];
  const list = make("div", "files");
  list.append(...others);
  return list;
}

function visualOf(one, isAlbum, acts) {
  const { message } = one;
  const node = make("div", "cell");
  if (message.has_media_spoiler) {
    node.classList.add("covered");
    node.addEventListener("click", (event) => {
      if (node.classList.replace("covered", "shown")) event.stopPropagation();
    }, true);
  }
  if (message.video) {
    node.append(film(message.video, acts));
    return node;
  }
  const largest = message.photo.at(-1);
  const image = make("img");
  image.src = fileAddress(largest.file_id, acts.query);
  image.alt = "Photo";
  image.width = largest.width;
  image.height = largest.height;
  if (!isAlbum) frame(image, largest);
  const open = make("button", "open");
  open.type = "button";
  open.title = "Open the picture";
  open.append(image);
  open.addEventListener("click", () => acts.openPicture(image.src));
  node.append(open);
  return node;
}

/** Reserve a picture's room before it is there, so that nothing jumps. */
function frame(image, size) {
  const scale = Math.min(1, 420 / size.width, 440 / size.height);
  image.style.width = `${Math.max(120, Math.round(size.width * scale))}px`;
  image.style.aspectRatio = `${size.width} / ${size.height}`;
}

function film(video, acts) {
  const node = make("video");
  node.src = fileAddress(video.file_id, acts.query);
  node.controls = true;
  node.preload = "metadata";
  node.playsInline = true;
  return node;
}

function other(message, acts) {
  if (message.animation) {
    const node = film(message.animation, acts);
    Object.assign(node, { controls: false, autoplay: true, loop: true, muted: true });
    const frameNode = make("div", "visual album of-1");
    const cell = make("div", "cell");
    cell.append(node);
    frameNode.append(cell);
    return frameNode;
  }
  return message.document ? documentOf(message.document, acts) : null;
}

function documentOf(file, acts) {
  const node = make("a", "document");
  const name = file.file_name ?? "file";
  node.href = fileAddress(file.file_id, acts.query);
  node.download = name;
  const badge = make("span", "badge");
  if (/^image\/(png|jpeg|webp)$/.test(file.mime_type ?? "")) {
    const image = make("img");
    image.src = node.href;
    image.alt = "";
    badge.append(image);
  } else {
    badge.textContent = (name.includes(".") ? name.split(".").at(-1) : "file").slice(0, 4);
  }
  const about = make("span", "about");
  about.append(make("b", "", name), make("small", "", `${sizeOf(file.file_size)} · download`));
  node.append(badge, about);
  return node;
}

function invoice(shown) {
  const node = make("div", "invoice");
  node.append(make("b", "", shown.title), make("p", "", shown.description));
  node.append(make("span", "price", `⭐ ${shown.total_amount} ${starsWord(shown.total_amount)}`));
  return node;
}

const starsWord = (count) => (count === 1 ? "Star" : "Stars");

function linkPreview(message, acts) {
  const options = message.link_preview_options;
  if (!options?.url || options.is_disabled) return null;
  const url = safeUrl(options.url);
  if (url === null) return null;
  const node = make("a", "preview");
  node.href = url.href;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  node.append(make("b", "", url.host), make("span", "", url.pathname === "/" ? "" : url.pathname));
  node.addEventListener("click", (event) => {
    if (acts.openLink(url)) event.preventDefault();
  });
  return node;
}

function reactionsOf(reactions) {
  const node = make("div", "reactions");
  for (const one of reactions) node.append(make("span", "", one.emoji ?? "⭐"));
  return node;
}

function strange(message) {
  const known = new Set(["message_id", "from", "chat", "date", "reply_markup", "edit_date"]);
  const kinds = Object.keys(message).filter((name) => !known.has(name));
  return `This page does not show: ${kinds.join(", ") || "an empty message"}`;
}

function isOnlyEmoji(text) {
  return text.length <= 24 && ONLY_EMOJI.test(text);
}

function inlineKeyboard(one, rows, acts) {
  const node = make("div", "inline-keyboard");
  for (const row of rows) {
    const line = make("div", "line");
    for (const button of row) line.append(inlineButton(one, button, acts));
    node.append(line);
  }
  return node;
}

function inlineButton(one, button, acts) {
  const node = make("button");
  node.type = "button";
  if (["danger", "success", "primary"].includes(button.style)) node.classList.add(button.style);
  let label = button.text;
  if (button.pay) label = label.replace(/⭐️?|XTR/u, "⭐");
  if (button.pay && one.is_paid) label = "Paid";
  node.append(make("span", "", label));
  const kind = Object.keys(MARKS).find((name) => button[name]);
  if (kind) node.append(make("span", "mark", MARKS[kind]));
  node.disabled = button.pay === true && one.is_paid === true;
  node.addEventListener("click", () => acts.press(one, button, node));
  return node;
}
