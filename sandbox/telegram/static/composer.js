// Where a person writes: the text, the commands, the bot's keyboard, pictures and files.

import { make } from "./entities.js";
import { sizeOf, summary } from "./bubbles.js";

const PICTURE = /^image\/(png|jpeg|webp)$/;
const FILES_MAX = 10;
const TEXT_ROOM_PX = 160;

const at = (id) => document.getElementById(id);

export class Composer {
  /** `post(path, body)` sends; it shows what went wrong by itself, and then answers null. */
  constructor(post) {
    this.post = post;
    this.commands = [];
    this.keyboard = null;
    this.isKeyboardHidden = false;
    this.replyTo = null;
    this.files = [];
    this.text = at("text");
    this.listenToText();
    this.listenToButtons();
    this.listenToFiles();
  }

  listenToText() {
    at("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.sendTyped();
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        if (!this.takeCommand()) this.sendTyped();
      }
      if (event.key === "Escape") this.escape();
    });
    this.text.addEventListener("input", () => this.fitText());
  }

  listenToButtons() {
    at("replying-cancel").addEventListener("click", () => this.reply(null));
    at("commands-button").addEventListener("click", () => {
      const isOpen = !at("command-list").hidden;
      this.showCommands(isOpen ? null : "");
    });
    at("keyboard-button").addEventListener("click", () => {
      this.isKeyboardHidden = !this.isKeyboardHidden;
      this.drawKeyboard();
    });
    document.addEventListener("click", (event) => {
      const isInside = event.target.closest("#command-list, #commands-button, #text");
      if (!isInside) this.showCommands(null);
    });
  }

  listenToFiles() {
    at("attach-button").addEventListener("click", () => at("files").click());
    at("files").addEventListener("change", () => {
      this.attach([...at("files").files]);
      at("files").value = "";
    });
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length || document.querySelector("dialog[open]:not(#attach)")) return;
      event.preventDefault();
      this.attach([...this.files, ...files]);
    });
    listenToDrops((files) => this.attach([...this.files, ...files]));
    at("attach-cancel").addEventListener("click", () => at("attach").close());
    at("attach").addEventListener("close", () => this.forgetFiles());
    at("as-files").addEventListener("change", () => this.drawPreviews());
    at("attach-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.sendFiles();
    });
  }

  /** What the server tells: the bot's commands and its keyboard. */
  update(commands, keyboard) {
    this.commands = commands;
    at("commands-button").hidden = commands.length === 0;
    if (JSON.stringify(keyboard) === JSON.stringify(this.keyboard)) return;
    this.keyboard = keyboard;
    this.isKeyboardHidden = false;
    this.drawKeyboard();
  }

  setEnabled(isEnabled) {
    at("composer").hidden = !isEnabled;
    if (!isEnabled) this.showCommands(null);
    this.isEnabled = isEnabled;
    this.drawKeyboard();
  }

  reply(message) {
    this.replyTo = message?.message_id ?? null;
    at("replying").hidden = message === null;
    this.drawKeyboard();
    if (message === null) return;
    at("replying-name").textContent = message.from?.first_name ?? "";
    at("replying-text").textContent = summary(message);
    this.text.focus();
  }

  async sendText(text) {
    const replyTo = this.replyTo;
    this.reply(null);
    return this.post("text", { text, reply_to: replyTo });
  }

  async sendTyped() {
    const typed = this.text.value.trim();
    if (!typed) return;
    this.text.value = "";
    this.fitText();
    if (await this.sendText(typed) === null && !this.text.value) {
      this.text.value = typed;
      this.fitText();
    }
  }

  fitText() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, TEXT_ROOM_PX)}px`;
    const typed = /^\/(\w*)$/.exec(this.text.value);
    this.showCommands(typed ? typed[1] : null);
  }

  escape() {
    this.showCommands(null);
    this.reply(null);
  }

  /** The commands that begin so; null hides them. */
  showCommands(beginning) {
    const list = at("command-list");
    const fitting = beginning === null ? []
      : this.commands.filter((one) => one.command.startsWith(beginning.toLowerCase()));
    list.replaceChildren(...fitting.map((one) => {
      const button = make("button");
      button.type = "button";
      button.setAttribute("role", "menuitem");
      button.append(make("b", "", `/${one.command}`), make("span", "", one.description));
      button.addEventListener("click", () => this.sendCommand(one));
      return button;
    }));
    list.hidden = fitting.length === 0;
  }

  sendCommand(one) {
    this.text.value = "";
    this.fitText();
    this.sendText(`/${one.command}`);
  }

  /** Enter completes a command of which only the beginning is typed. */
  takeCommand() {
    const typed = /^\/(\w+)$/.exec(this.text.value)?.[1].toLowerCase();
    if (!typed) return false;
    const fitting = this.commands.filter((one) => one.command.startsWith(typed));
    if (fitting.length !== 1) return false;
    this.sendCommand(fitting[0]);
    return true;
  }

  drawKeyboard() {
    const rows = this.isEnabled ? this.keyboard?.keyboard ?? [] : [];
    const node = at("reply-keyboard");
    node.hidden = rows.length === 0 || this.isKeyboardHidden;
    at("keyboard-button").hidden = rows.length === 0;
    // What a forced reply asks for is over with the reply.
    const isAsked = this.keyboard?.keyboard || this.replyTo !== null;
    this.text.placeholder = (isAsked && this.keyboard?.input_field_placeholder) || "Message";
    node.replaceChildren(...rows.map((row) => {
      const line = make("div", "line");
      for (const button of row) line.append(this.keyboardButton(button));
      return line;
    }));
  }

  keyboardButton(button) {
    const told = typeof button === "string" ? { text: button } : button;
    const node = make("button", "", told.text);
    node.type = "button";
    if (["danger", "success", "primary"].includes(told.style)) node.classList.add(told.style);
    const isPlain = Object.keys(told).every((name) => ["text", "style"].includes(name));
    node.disabled = !isPlain;
    if (!isPlain) node.title = "The sandbox does not play this kind of button";
    node.addEventListener("click", () => {
      if (this.keyboard?.one_time_keyboard) this.isKeyboardHidden = true;
      this.drawKeyboard();
      this.sendText(told.text);
    });
    return node;
  }

  attach(files) {
    if (!files.length || !this.isEnabled) return;
    this.files = files.slice(0, FILES_MAX);
    if (!at("attach").open) {
      at("caption").value = this.text.value.trim();
      at("as-files").checked = !this.files.every((file) => PICTURE.test(file.type));
      at("attach").showModal();
      at("caption").focus();
    }
    this.drawPreviews();
  }

  arePhotos() {
    return this.files.every((file) => PICTURE.test(file.type)) && !at("as-files").checked;
  }

  drawPreviews() {
    const areAllPictures = this.files.every((file) => PICTURE.test(file.type));
    const count = this.files.length;
    at("as-files-label").hidden = !areAllPictures;
    const kind = this.arePhotos() ? "picture" : "file";
    at("attach-title").textContent = `Send ${count === 1 ? `a ${kind}` : `${count} ${kind}s`}`;
    freeImages(at("previews"));
    at("previews").replaceChildren(...this.files.map((file) => preview(file, this.arePhotos())));
  }

  async sendFiles() {
    const form = new FormData();
    const caption = at("caption").value.trim();
    if (caption) form.append("caption", caption);
    if (this.replyTo !== null) form.append("reply_to", String(this.replyTo));
    for (const file of this.files) form.append("file", file, file.name);
    at("attach-send").disabled = true;
    const done = await this.post(this.arePhotos() ? "photo" : "document", form);
    at("attach-send").disabled = false;
    if (done === null) return;
    this.text.value = "";
    this.fitText();
    this.reply(null);
    at("attach").close();
  }

  forgetFiles() {
    this.files = [];
    freeImages(at("previews"));
    at("previews").replaceChildren();
    at("caption").value = "";
    this.text.focus();
  }
}

function preview(file, isPhoto) {
  const node = make("div", isPhoto ? "preview-photo" : "preview-file");
  if (PICTURE.test(file.type)) {
    const image = make("img");
    image.src = URL.createObjectURL(file);
    image.alt = file.name;
    node.append(image);
  }
  if (!isPhoto) node.append(make("b", "", file.name), make("small", "", sizeOf(file.size)));
  return node;
}

function freeImages(node) {
  for (const image of node.querySelectorAll("img")) URL.revokeObjectURL(image.src);
}

function listenToDrops(attach) {
  const isFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    at("drop").hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) at("drop").hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    at("drop").hidden = true;
    attach([...event.dataTransfer.files]);
  });
}
