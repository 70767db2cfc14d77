"use strict";
// The page of `cutline judge --people`: shows two captions at a time, and keeps the votes until they are saved.
(() => {
  const { contest, pictures, games } = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const place = `cutline-votes-${contest}`;
  let stored = true;
  let state = read() || anew();

  function anew() {
    const bytes = crypto.getRandomValues(new Uint8Array(6));
    const voter = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { voter, name: "", votes: [], saved: true };
  }

  function read() {
    try {
      const found = JSON.parse(localStorage.getItem(place));
      const known = new Set(games.map((game) => game.id));
      if (!found || typeof found.voter !== "string" || !Array.isArray(found.votes)) return null;
      const votes = found.votes.filter((vote) => known.has(vote.game));
      return { ...found, votes, saved: found.saved === true || !votes.length };
    } catch {
      return null;
    }
  }

  function keep() {
    try {
      localStorage.setItem(place, JSON.stringify(state));
    } catch {
      stored = false;
    }
  }

  // Which caption stands first: for each person another, and the same after the page is opened again.
  function swapped(game) {
    let hash = 2166136261;
    for (const sign of state.voter + game.id) hash = Math.imul(hash ^ sign.codePointAt(0), 16777619) >>> 0;
    return ((hash >>> 7) & 1) === 1;
  }

  function next() {
    const done = new Set(state.votes.map((vote) => vote.game));
    return games.find((game) => !done.has(game.id));
  }

  function texts(game) {
    return swapped(game) ? [game.texts[1], game.texts[0]] : game.texts;
  }

  function show() {
    const game = next();
    const done = games.length - (game ? games.length - state.votes.length : 0);
    $("progress").value = state.votes.length;
    $("count").textContent = game ? `${done + 1} of ${games.length}` : `${games.length} of ${games.length}, done`;
    $("undo").disabled = !state.votes.length;
    $("save").disabled = !state.votes.length;
    $("game").hidden = !game;
    $("end").hidden = !!game;
    if (!game) {
      $("save").classList.add("main");
      $("thanks").focus();
      return;
    }
    $("save").classList.remove("main");
    const picture = pictures[game.picture];
    $("picture").hidden = !picture.url;
    $("problem").hidden = !!picture.url;
    if (picture.url) {
      $("picture").src = picture.url;
      $("picture").width = picture.width;
      $("picture").height = picture.height;
    } else {
      $("problem").textContent = `The picture cannot be shown: ${picture.problem}`;
    }
    const [first, second] = texts(game);
    $("text1").textContent = first.text;
    $("text2").textContent = second.text;
    scrollTo(0, 0);
  }

  function vote(verdict) {
    const game = next();
    if (!game) return;
    const [first, second] = texts(game);
    const vote = { game: game.id, image_id: pictures[game.picture].key, first: first.id, second: second.id };
    state.votes.push({ ...vote, verdict, at: new Date().toISOString() });
    changed("");
  }

  function undo() {
    if (!state.votes.length) return;
    state.votes.pop();
    changed("The last vote was taken back.");
  }

  function changed(message) {
    state.saved = !state.votes.length;
    keep();
    $("message").textContent = stored
      ? message
      : "This browser keeps nothing for the page: save your votes before you close it.";
    show();
  }

  function save() {
    if (!state.votes.length) return;
    const { voter, name } = state;
    const lines = state.votes.map(({ game: _, ...vote }) => JSON.stringify({ contest, voter, name, ...vote }));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "application/jsonl" }));
    const shown = (name || voter).replace(/[^\p{L}\p{N}.-]+/gu, "-").slice(0, 40);
    link.download = `votes-${shown}.jsonl`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    state.saved = true;
    keep();
    $("message").textContent = `${state.votes.length} votes saved as ${link.download}.`;
  }

  $("first").addEventListener("click", () => vote("first"));
  $("second").addEventListener("click", () => vote("second"));
  $("tie").addEventListener("click", () => vote("tie"));
  $("undo").addEventListener("click", undo);
  $("save").addEventListener("click", save);
  $("another").addEventListener("click", () => {
    if (!state.saved) save();
    state = anew();
    $("name").value = "";
    changed("Votes from now on are another person's. Those before were saved as a file.");
  });
  $("name").addEventListener("input", () => {
    state.name = $("name").value.trim();
    state.saved = !state.votes.length;
    keep();
  });
  const keys = { 1: () => vote("first"), 2: () => vote("second"), 0: () => vote("tie"), u: undo, s: save };
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (typing || event.altKey || event.repeat) return;
    const key = event.key.toLowerCase();
    const control = event.ctrlKey || event.metaKey;
    const takesBack = control ? key === "z" && !event.shiftKey : key === "backspace";
    const action = takesBack ? undo : control ? undefined : keys[key];
    if (action) {
      event.preventDefault();
      action();
    }
  });
  addEventListener("beforeunload", (event) => {
    if (!state.saved && !stored) event.preventDefault();
  });
  $("name").value = state.name || "";
  document.querySelector("main").hidden = false;
  keep();
  if (state.votes.length) $("message").textContent = "Your earlier votes are still there.";
  show();
})();
