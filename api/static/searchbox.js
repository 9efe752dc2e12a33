/** The search field: words, a picture, or both together. */

import { thumbnail } from "/static/api.js";
import { $ } from "/static/dom.js";

/** `onsearch()` is called when the user asks; read `text`, `image` and `like` then. */
export class SearchBox {
  constructor({ onsearch }) {
    this.image = null; // a File
    this.like = null; // the id of a stored point
    this.onsearch = onsearch;
    this.#listen();
  }

  get text() {
    return $("query").value.trim();
  }

  set text(value) {
    $("query").value = value;
  }

  /** Show a stored point as the query picture, or none. */
  setLike(collection, point) {
    this.image = null;
    this.like = point;
    this.#chip(point && thumbnail(collection, point), "Searching for more like this picture");
  }

  setImage(file) {
    this.like = null;
    this.image = file;
    this.#chip(URL.createObjectURL(file), `Searching with ${file.name || "a pasted picture"}`);
  }

  focus() {
    $("query").focus();
    $("query").select();
  }

  #chip(source, description) {
    const old = $("chip-image").getAttribute("src");
    if (old?.startsWith("blob:")) URL.revokeObjectURL(old);
    $("chip").hidden = !source;
    if (source) $("chip-image").src = source;
    else $("chip-image").removeAttribute("src");
    $("chip-image").alt = source ? description : "";
    $("chip-image").classList.remove("opaque");
  }

  #listen() {
    $("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.onsearch();
    });
    $("chip-remove").addEventListener("click", () => {
      this.setLike(null, null);
      this.focus();
      this.onsearch();
    });
    $("chip-image").addEventListener("error", () => $("chip-image").classList.add("opaque"));
    $("pick").addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", () => {
      this.#take($("file").files);
      $("file").value = "";
    });
    document.addEventListener("paste", (event) => this.#take(event.clipboardData.files) && event.preventDefault());
    this.#listenForDrops();
  }

  #listenForDrops() {
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) document.body.classList.remove("dropping");
    });
    document.addEventListener("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      document.body.classList.remove("dropping");
      this.#take(event.dataTransfer.files);
    });
  }

  /** Search with the first file given; whether it is a picture is for the service to say. */
  #take(files) {
    if (!files?.length) return false;
    this.setImage(files[0]);
    this.onsearch();
    return true;
  }
}
