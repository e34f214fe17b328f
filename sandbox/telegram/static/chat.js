// The page on which a person chats with the bot: it asks for what is new and draws it, and sends
// what the person does. Who the person is stands in the address, so every tab may be another one.

import { make, safeUrl } from "./entities.js";
import { Composer } from "./composer.js";
import { Timeline } from "./timeline.js";

const POLL_S = 25;
const RETRY_MS = 1500;
const HIDDEN_MS = 2000;
const TOAST_MS = 3500;
const ACTION_MS = 5500;
const ACTIONS = {
  typing: "typing…", upload_photo: "sending a photo…", upload_document: "sending a file…",
  upload_video: "sending a video…", record_video: "recording a video…",
  choose_sticker: "choosing a sticker…", find_location: "looking for a place…",
};
const HUES = [4, 28, 145, 190, 210, 262, 330];

const at = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const userId = /^[1-9]\d{0,15}$/.test(asked.get("user") ?? "") ? asked.get("user") : "777";
const token = asked.get("token");
const query = token ? `?token=${encodeURIComponent(token)}` : "";
const base = `/telegram/chat/${userId}`;

let state = null;
let payload = asked.get("start");
let actionTimer = 0;
let lastArrival = 0;

async function post(path, body) {
  const isForm = body instanceof FormData;
  const headers = isForm ? {} : { "Content-Type": "application/json" };
  const sent = { method: "POST", headers, body: isForm ? body : JSON.stringify(body) };
  try {
    const answer = await fetch(`${base}/${path}${query}`, sent);
    const told = await answer.json();
    if (answer.ok) return told;
    toast(told.error ?? `Error ${answer.status}`);
  } catch {
    toast("The sandbox does not answer");
  }
  return null;
}

const acts = {
  query,
  sendText: (text) => composer.sendText(text),
  reply: (one) => composer.reply(one.message),
  showMessage: (id) => timeline.show(id),
  openPicture(address) {
    at("picture-image").src = address;
    at("picture").showModal();
  },
  /** True when the link leads to our bot, and so to this page, or to an invoice of ours. */
  openLink(url) {
    if (url.port === location.port && url.pathname.startsWith("/telegram/invoice/")) {
      url.searchParams.set("user", userId);
      window.open(url.href, "_blank", "noopener");
      return true;
    }
    const start = startOf(url);
    if (start === null) return false;
    const user = url.searchParams.get("user") ?? userId;
    if (user === userId) {
      if (start) expectStart(start);
    } else window.open(addressWith({ user, start, lang: null, name: null }), "_blank");
    return true;
  },
  async press(one, button, node) {
    if (button.pay) await pay(one);
    else if (button.url) openButtonLink(button.url);
    else if (button.web_app) await openApp(button.web_app.url);
    else if (button.copy_text) await copy(button.copy_text.text);
    else if (button.callback_data !== undefined) await pressed(one, button, node);
    else toast("The sandbox does not play this kind of button");
  },
};

const composer = new Composer(post);
const timeline = new Timeline(at("scroll"), at("list"), acts, drawUnread);

async function pressed(one, button, node) {
  node.classList.add("waiting");
  await post("press", { message_id: one.message.message_id, data: button.callback_data });
  setTimeout(() => node.classList.remove("waiting"), 600);
}

async function pay(one) {
  const shown = one.message.invoice;
  const stars = `${shown.total_amount} ${shown.total_amount === 1 ? "Star" : "Stars"}`;
  const has = `You have ${state.person.stars} sandbox Stars.`;
  const yes = `Pay ⭐ ${shown.total_amount}`;
  if (!await ask(`Pay ${stars}?`, `${shown.title}. ${has}`, yes)) return;
  if (await post("pay", { message_id: one.message.message_id })) toast(`Paid: ${stars}`);
}

function openButtonLink(address) {
  const url = safeUrl(address);
  if (url === null) toast("This is no link");
  else if (!acts.openLink(url)) window.open(url.href, "_blank", "noopener,noreferrer");
}

async function openApp(address) {
  const told = await post("app", { url: address });
  const url = told && safeUrl(told.url);
  if (url) window.open(url.href, "_blank", "noopener");
}

function drawApp(button) {
  at("app-button").hidden = button?.type !== "web_app";
  at("app-button").textContent = button?.text ?? "";
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast(text);
  }
}

/** The payload of a link to our bot, "" for one without; null for any other link. */
function startOf(url) {
  const name = state?.bot.username.toLowerCase();
  if (url.protocol === "tg:") {
    const isOurs = url.searchParams.get("domain")?.toLowerCase() === name;
    return isOurs ? url.searchParams.get("start") ?? "" : null;
  }
  const isTelegram = ["t.me", "telegram.me"].includes(url.host);
  if (!isTelegram || url.pathname.slice(1).toLowerCase() !== name) return null;
  return url.searchParams.get("start") ?? "";
}

/** This page's address with other parameters; null takes one away. */
function addressWith(changes) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  return address;
}

/** The payload waits for START; in the address it goes along to another person. */
function expectStart(start) {
  payload = start;
  history.replaceState(null, "", addressWith({ start }));
  drawFooter();
}

async function start() {
  const sent = payload ?? "";
  // A payload that is refused is not tried again: the next press is a plain /start.
  payload = null;
  if (await post("start", { payload: sent }) === null) return;
  history.replaceState(null, "", addressWith({ start: null }));
  drawFooter();
}

function ask(title, text, yes) {
  const dialog = at("ask");
  at("ask-title").textContent = title;
  at("ask-text").textContent = text;
  at("ask-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function toast(text) {
  const node = make("div", "toast", text);
  at("toasts").append(node);
  setTimeout(() => node.remove(), TOAST_MS);
}

function answered(one) {
  if (one.url) openButtonLink(one.url);
  if (!one.text) return;
  if (!one.show_alert) {
    toast(one.text);
    return;
  }
  at("alert-text").textContent = one.text;
  if (!at("alert").open) at("alert").showModal();
}

function paint(node, name, number) {
  node.textContent = [...name.trim()][0]?.toUpperCase() ?? "?";
  node.style.setProperty("--hue", HUES[number % 11 % HUES.length]);
}

function drawHeader() {
  const { bot, person } = state;
  document.title = `${bot.first_name} · ${person.first_name}`;
  at("bot-name").textContent = bot.first_name;
  at("person-name").textContent = person.first_name;
  paint(at("bot-avatar"), bot.first_name, bot.id);
  paint(at("person-avatar"), person.first_name, person.id);
  paint(at("intro-avatar"), bot.first_name, bot.id);
  at("intro-name").textContent = `${bot.first_name} (@${bot.username})`;
  at("intro-text").textContent = bot.description || "No messages here yet. Press START.";
  at("intro").hidden = timeline.messages.size > 0;
  document.querySelector("[data-act=block]").textContent =
    state.is_blocked ? "Unblock the bot" : "Block the bot";
}

/** What the bot says that it is doing: until it has sent something, or for a few seconds. */
function drawAction(action) {
  clearTimeout(actionTimer);
  const isNow = action !== null && action.age_s * 1000 < ACTION_MS
    && performance.now() - action.age_s * 1000 > lastArrival;
  at("bot-status").textContent = isNow ? ACTIONS[action.name] ?? "busy…" : "bot";
  at("bot-status").classList.toggle("active", isNow);
  if (isNow) actionTimer = setTimeout(() => drawAction(null), ACTION_MS - action.age_s * 1000);
}

function drawFooter() {
  const wantsStart = payload !== null || !state.is_started;
  at("unblock-button").hidden = !state.is_blocked;
  at("start-button").hidden = state.is_blocked || !wantsStart;
  composer.setEnabled(!state.is_blocked && !wantsStart);
}

function drawUnread(count, isAtBottom) {
  at("to-bottom").hidden = isAtBottom;
  at("unread").hidden = count === 0;
  at("unread").textContent = String(count);
}

function draw(news) {
  if (news.is_whole) timeline.clear();
  state = news;
  const arrived = timeline.update(news.messages, news.deleted, news.paid, news.reactions);
  if (arrived) lastArrival = performance.now();
  drawHeader();
  drawAction(news.action);
  drawFooter();
  drawApp(news.bot.menu_button);
  composer.update(news.bot.commands, news.keyboard);
  const last = timeline.last();
  if (last?.forces_reply && news.messages.includes(last)) composer.reply(last.message);
  for (const one of news.toasts) answered(one);
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Ask for what is new, for ever. What the page has seen is its version of this memory.
 * A tab in the background holds no connection open: a browser has only six for all of them. */
async function follow() {
  let known = "version=0";
  for (;;) {
    try {
      const options = query.replace("?", "&");
      const waitS = document.hidden ? 0 : POLL_S;
      const answer = await fetch(`${base}/state?${known}&wait_s=${waitS}${options}`);
      const news = await answer.json();
      if (!answer.ok) throw new Error(news.error);
      document.body.classList.remove("offline");
      draw(news);
      known = `version=${news.version}&memory=${encodeURIComponent(news.memory)}`;
      if (document.hidden) await sleep(HIDDEN_MS);
    } catch (error) {
      console.error(error);
      document.body.classList.add("offline");
      at("bot-status").textContent = error instanceof TypeError
        ? "the sandbox does not answer…" : error.message;
      await sleep(RETRY_MS);
    }
  }
}

function openPerson() {
  const { person } = state;
  at("person-id").value = person.id;
  at("person-first").value = person.first_name;
  at("person-username").value = person.username ?? "";
  at("person-language").value = person.language_code ?? "";
  at("person-stars").textContent = `${person.stars} sandbox Stars.`;
  at("person-error").textContent = "";
  at("person").showModal();
}

async function becomePerson(event) {
  event.preventDefault();
  const id = at("person-id").value.trim();
  const told = {
    first_name: at("person-first").value.trim(),
    username: at("person-username").value.trim() || null,
    language_code: at("person-language").value.trim() || null,
  };
  const answer = await fetch(`/telegram/chat/${id}/person${query}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(told),
  });
  if (!answer.ok) {
    at("person-error").textContent = (await answer.json()).error;
    return;
  }
  at("person").close();
  if (id === userId) return;
  location.assign(addressWith({ user: id, lang: null, name: null }));
}

/** Another id in the form is another person, whose names are not this one's. */
async function showPerson() {
  const id = at("person-id").value.trim();
  if (!/^[1-9]\d{0,15}$/.test(id)) return;
  const answer = await fetch(`/telegram/chat/${id}/state${query}`);
  if (!answer.ok) return;
  const { person } = await answer.json();
  at("person-first").value = person.first_name;
  at("person-username").value = person.username ?? "";
  at("person-language").value = person.language_code ?? "";
  at("person-stars").textContent = `${person.stars} sandbox Stars.`;
}

function changeTheme() {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (isDark ? "dark" : "light");
  setTheme(now === "dark" ? "light" : "dark");
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("sandbox-theme", theme);
}

function toggleMenu(isOpen) {
  at("menu").hidden = !isOpen;
  at("menu-button").setAttribute("aria-expanded", String(isOpen));
}

function listen() {
  at("menu-button").addEventListener("click", (event) => {
    event.stopPropagation();
    toggleMenu(at("menu").hidden);
  });
  document.addEventListener("click", () => toggleMenu(false));
  const menu = {
    person: openPerson,
    theme: changeTheme,
    block: () => post(state.is_blocked ? "unblock" : "block", {}),
  };
  at("menu").addEventListener("click", (event) => menu[event.target.dataset.act]?.());
  at("person-button").addEventListener("click", openPerson);
  at("person-form").addEventListener("submit", becomePerson);
  at("person-id").addEventListener("change", showPerson);
  at("person-cancel").addEventListener("click", () => at("person").close());
  at("start-button").addEventListener("click", start);
  at("app-button").addEventListener("click", () => openApp(state.bot.menu_button.web_app.url));
  at("unblock-button").addEventListener("click", () => post("unblock", {}));
  at("to-bottom").addEventListener("click", () => timeline.toBottom());
  at("picture").addEventListener("click", () => at("picture").close());
}

async function introduce() {
  const told = {};
  if (asked.get("lang")) told.language_code = asked.get("lang");
  if (asked.get("name")) told.first_name = asked.get("name");
  if (Object.keys(told).length) await post("person", told);
}

const theme = asked.get("theme") ?? localStorage.getItem("sandbox-theme");
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
listen();
await introduce();
await follow();
