// One picture on the page. What comes from files and models is only ever set as text.

const blank = document.querySelector("#card");
const FINAL = ["unsupported", "decode", "too-large", "not-a-file", "captioner"]; // asking again gives the same
const WORDS = { waiting: "Waits for its turn", asked: "Is being described …" };

export class Card {
  constructor(file, does) {
    this.file = file;
    this.name = file.name || "pasted picture";
    this.wish = {};
    this.answer = null;
    this.stop = null; // ends its request
    this.element = blank.content.firstElementChild.cloneNode(true);
    this.parts = {};
    for (const part of ["file", "words", "figures", "copy", "again", "remove", "none"])
      this.parts[part] = this.element.querySelector(`.${part}`);
    this.parts.file.textContent = this.name;
    for (const act of ["copy", "again", "remove"]) this.parts[act].addEventListener("click", () => does[act](this));
    this.#show();
    this.state("waiting");
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

  get isWorthAsking() {
    return this.now === "failed" && !FINAL.includes(this.kind);
  }

  // waiting, asked, done (with the answer) or failed (with the reason, and the kind of failure)
  state(now, told = null, kind = "") {
    this.now = now;
    this.kind = kind;
    this.answer = now === "done" ? told : null;
    this.reason = now === "failed" ? told : null;
    this.element.className = `card is-${now}`;
    this.element.setAttribute("aria-busy", String(now === "asked"));
    this.parts.words.textContent = WORDS[now] ?? this.answer?.caption ?? this.reason;
    this.parts.figures.textContent = this.answer ? figures(this.answer) : "";
    this.#offer("copy", now === "done", "Copy", "Copy: the caption of");
    const again = now === "done" ? "Again" : "Retry";
    this.#offer("again", now === "done" || this.isWorthAsking, again, `${again}: describe`);
    this.#offer("remove", true, "Remove", "Remove");
  }

  #offer(act, shown, label, told) {
    const button = this.parts[act];
    button.hidden = !shown;
    button.textContent = label;
    button.setAttribute("aria-label", `${told} ${this.name}`);
  }

  close() {
    this.stop?.abort();
    URL.revokeObjectURL(this.address);
    this.element.remove();
  }
}

function figures(answer) {
  const told = [];
  if (answer.seconds >= 0.005) told.push(`${answer.seconds.toFixed(answer.seconds < 10 ? 2 : 0)} s`);
  if (answer.completion_tokens) told.push(`${answer.completion_tokens} tokens`);
  return told.join(" · ");
}
