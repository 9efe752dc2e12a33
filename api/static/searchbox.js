/** The search field: words, up to three pictures, or both together. */

import { thumbnail } from "/static/api.js";
import { $, h, icon } from "/static/dom.js";

const MOST = 3;

/** A picture is { point: id } for a stored one or { file: File }; `onsearch()` says that the user asks. */
export class SearchBox {
  constructor({ onsearch }) {
    this.pictures = [];
    this.onsearch = onsearch;
    this.#listen();
  }

  get text() {
    return $("query").value.trim();
  }

  set text(value) {
    $("query").value = value;
  }

  get like() {
    return this.pictures.flatMap(({ point }) => point ?? []);
  }

  get images() {
    return this.pictures.flatMap(({ file }) => file ?? []);
  }

  /** Show these query pictures; stored ones are of `collection`. */
  show(collection, pictures) {
    this.pictures = pictures.slice(-MOST);
    $("chips").querySelectorAll("img").forEach((image) => URL.revokeObjectURL(image.src));
    $("chips").replaceChildren(...this.pictures.map((picture) => this.#chip(collection, picture)));
    $("chips").hidden = !this.pictures.length;
    this.collection = collection;
  }

  /** Search with these files beside what is there. */
  add(files) {
    this.show(this.collection, [...this.pictures, ...files.map((file) => ({ file }))]);
    this.onsearch();
  }

  focus() {
    $("query").focus();
    $("query").select();
  }

  #chip(collection, picture) {
    const { point, file } = picture;
    const image = h("img", {
      src: point ? thumbnail(collection, point) : URL.createObjectURL(file),
      alt: point ? "Searching for more like this picture" : `Searching with ${file.name || "a pasted picture"}`,
      onerror: () => image.classList.add("opaque"),
    });
    const remove = () => {
      this.show(collection, this.pictures.filter((other) => other !== picture));
      this.focus();
      this.onsearch();
    };
    return h(
      "div",
      { className: "chip" },
      image,
      h("button", { type: "button", "aria-label": "Remove the query image", onclick: remove }, icon("close")),
    );
  }

  #listen() {
    $("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.onsearch();
    });
    $("pick").addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", () => {
      const files = [...$("file").files];
      $("file").value = "";
      if (files.length) this.add(files);
    });
    document.addEventListener("paste", (event) => {
      const files = [...event.clipboardData.files];
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    });
  }
}
