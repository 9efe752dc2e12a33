/** The panel in which the results, or the whole collection, are asked about. */

import * as api from "/static/api.js";
import { thumbnail } from "/static/api.js";
import { $, h, icon } from "/static/dom.js";
import { events } from "/static/events.js";
import { clock } from "/static/format.js";
import { poster } from "/static/tile.js";

const SHOWN = 4; // results that the model looks at
const REMEMBERED = 6; // messages of before that it is told again
const IDEAS = {
  results: ["What do these have in common?", "Describe the best match.", "How do they differ?"],
  collection: ["What kind of photos are in here?", "Is there a photo with an animal?"],
};

/** `onopen(citation)` shows what an answer rests on; `results()` gives the hits to ask about, [] for all. */
export class Ask {
  constructor({ onopen, results }) {
    Object.assign(this, { node: $("asking"), onopen, results, said: [], running: null });
    $("ask").addEventListener("click", () => (this.node.open ? this.close() : this.open()));
    $("ask-close").addEventListener("click", () => this.close());
    $("ask-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.running) this.running.abort();
      else this.#ask($("question").value.trim());
    });
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.node.addEventListener("close", () => this.#left());
  }

  /** Offered where a chat model is set up. */
  async offer() {
    const { data } = await api.models();
    this.model = data.find((model) => model.kind === "chat")?.id;
    $("ask").hidden = !this.model;
  }

  /** Another search: what was said was about others. */
  forget(collection) {
    this.running?.abort();
    this.collection = collection;
    this.said = [];
    if (this.node.open) this.#greet();
  }

  open() {
    if (matchMedia("(max-width: 760px)").matches) this.node.showModal();
    else this.node.show();
    document.body.classList.add("beside");
    $("ask").setAttribute("aria-expanded", "true");
    if (!this.said.length) this.#greet();
    $("question").focus();
  }

  close() {
    this.node.close();
  }

  #left() {
    this.running?.abort();
    document.body.classList.remove("beside");
    $("ask").setAttribute("aria-expanded", "false");
    $("ask").focus();
  }

  /** What the model looks at: the first results that can be looked at. */
  #shown() {
    return this.results()
      .filter(({ kind }) => kind !== "text")
      .slice(0, SHOWN);
  }

  #greet() {
    const count = this.#shown().length;
    const about = count ? `The first ${count === 1 ? "result is" : `${count} results are`} shown to ${this.model}.` : `What fits your question is found and shown to ${this.model}.`;
    const ideas = count ? IDEAS.results : IDEAS.collection;
    $("ask-title").textContent = count ? "Ask these results" : "Ask this collection";
    $("talk").replaceChildren(
      h("p", { className: "about" }, about),
      ...ideas.map((idea) => h("button", { type: "button", className: "idea", onclick: () => this.#ask(idea) }, idea)),
    );
  }

  async #ask(question) {
    if (!question || this.running) return;
    const hits = this.#shown();
    if (!this.said.length) $("talk").replaceChildren();
    $("question").value = "";
    const answer = new Answer(this.collection, (citation) => this.onopen(citation));
    $("talk").append(h("p", { className: "question", dir: "auto" }, question), answer.node);
    const before = this.said.slice(-REMEMBERED);
    this.said.push({ role: "user", content: question });
    this.running = new AbortController();
    this.#busy(true);
    try {
      const body = { model: this.model, messages: [...before, this.said.at(-1)], collection: this.collection };
      if (hits.length) body.points = hits.map(poster);
      for await (const chunk of events(await api.chat(body, this.running.signal))) {
        if (chunk.error) throw new api.ApiError(502, chunk);
        answer.take(chunk);
        $("talk").scrollTop = $("talk").scrollHeight;
      }
      answer.finish();
    } catch (error) {
      if (error.name === "AbortError") answer.stop();
      else answer.fail(error.message, () => this.#ask(question));
    }
    this.said.push({ role: "assistant", content: answer.text || "…" });
    this.running = null;
    this.#busy(false);
  }

  #busy(busy) {
    $("talk").setAttribute("aria-busy", String(busy));
    $("ask-send").setAttribute("aria-label", busy ? "Stop" : "Ask");
    $("ask-send").replaceChildren(icon(busy ? "stop" : "send"));
  }
}

/** One answer as it comes in, with the pictures it rests on. */
class Answer {
  constructor(collection, onopen) {
    this.text = "";
    this.citations = [];
    Object.assign(this, { collection, onopen });
    this.words = h("p", { dir: "auto" });
    this.sources = h("ol", { className: "sources", "aria-label": "Looked at" });
    this.node = h("div", { className: "answer thinking" }, this.words, this.sources);
  }

  take(chunk) {
    if (chunk.citations) this.#cite(chunk.citations);
    const piece = chunk.choices?.[0]?.delta?.content;
    if (!piece) return;
    this.text += piece;
    this.words.textContent = this.text;
  }

  /** Turn [2] into a link to the second picture. */
  finish() {
    this.node.classList.remove("thinking");
    if (!this.text) return this.fail("The model said nothing.");
    const parts = this.text.split(/(\[\d+\])/);
    this.words.replaceChildren(...parts.map((part) => this.#linked(part)));
    return undefined;
  }

  stop() {
    this.finish();
    this.node.append(h("p", { className: "aside" }, "Stopped."));
  }

  fail(message, onretry) {
    this.node.classList.remove("thinking");
    const retry = onretry && h("button", { type: "button", className: "idea", onclick: onretry }, "Ask again");
    this.node.append(h("p", { className: "wrong", role: "alert" }, message), retry || "");
  }

  #linked(part) {
    const citation = this.citations.find(({ number }) => part === `[${number}]`);
    if (!citation) return part;
    return h("button", { type: "button", className: "cite", "aria-label": `Show picture ${citation.number}`, onclick: () => this.onopen(citation) }, String(citation.number));
  }

  #cite(citations) {
    this.citations = citations;
    this.sources.replaceChildren(
      ...citations.map((citation) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", "aria-label": `Open picture ${citation.number}`, onclick: () => this.onopen(citation) },
            h("img", { src: thumbnail(this.collection, citation.id), alt: "", onerror: (event) => event.target.remove() }),
            h("span", {}, String(citation.number)),
            typeof citation.start === "number" ? h("span", { className: "time" }, clock(citation.start)) : null,
          ),
        ),
      ),
    );
  }
}
