// One picture on the page. What comes from files and models is only ever set as text.

const blank = document.querySelector("#card");
const FINAL = ["unsupported", "decode", "too-large", "not-a-file", "captioner"]; // a retry fails too
const MESSAGES = { waiting: "Waits for its turn", running: "Is being described …" };

export class Card {
  constructor(file, actions) {
    this.file = file;
    this.name = file.name || "pasted picture";
    this.options = {};
    this.result = null;
    this.controller = null; // aborts its request
    this.element = blank.content.firstElementChild.cloneNode(true);
    this.parts = {};
    for (const part of ["file", "words", "figures", "copy", "again", "remove", "none"])
      this.parts[part] = this.element.querySelector(`.${part}`);
    this.parts.file.textContent = this.name;
    for (const act of ["copy", "again", "remove"]) this.parts[act].addEventListener("click", () => actions[act](this));
    this.#show();
    this.setState("waiting");
  }

  #show() {
    const image = this.element.querySelector("img");
    this.address = URL.createObjectURL(this.file);
    image.addEventListener("error", () => {
      image.hidden = true;
      this.parts.none.hidden = false;
    });
    image.src = this.address;
  }

  get canRetry() {
    return this.state === "failed" && !FINAL.includes(this.kind);
  }

  // waiting, running, done (with the result) or failed (with the reason, and the kind of failure)
  setState(state, detail = null, kind = "") {
    this.state = state;
    this.kind = kind;
    this.result = state === "done" ? detail : null;
    this.reason = state === "failed" ? detail : null;
    this.element.className = `card is-${state}`;
    this.element.setAttribute("aria-busy", String(state === "running"));
    this.parts.words.textContent = MESSAGES[state] ?? this.result?.caption ?? this.reason;
    this.parts.figures.textContent = this.result ? figures(this.result) : "";
    this.#setButton("copy", state === "done", "Copy", "Copy: the caption of");
    const again = state === "done" ? "Again" : "Retry";
    this.#setButton("again", state === "done" || this.canRetry, again, `${again}: describe`);
    this.#setButton("remove", true, "Remove", "Remove");
  }

  #setButton(act, shown, label, description) {
    const button = this.parts[act];
    button.hidden = !shown;
    button.textContent = label;
    button.setAttribute("aria-label", `${description} ${this.name}`);
  }

  close() {
    this.controller?.abort();
    URL.revokeObjectURL(this.address);
    this.element.remove();
  }
}

function figures(result) {
  const parts = [];
  if (result.seconds >= 0.005) parts.push(`${result.seconds.toFixed(result.seconds < 10 ? 2 : 0)} s`);
  if (result.completion_tokens) parts.push(`${result.completion_tokens} tokens`);
  return parts.join(" · ");
}
