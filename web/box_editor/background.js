// What lies behind the boxes, and the picture's size: from the inputs before a run, from the last run after it.

import { imageUrl, isDownstream, parseImageName, upstream, valueOf } from "../common/graph.js";

/** @typedef {import("./editor.js").Size} Size */
/** @typedef {import("../common/graph.js").GraphNode} GraphNode */
/** @typedef {import("../common/graph.js").SavedImage} SavedImage */

const FALLBACK = 512;

/** @param {unknown} value */
const isSide = (value) => typeof value === "number" && Number.isFinite(value) && value > 0;

export class Background {
  /** @param {GraphNode} node */
  constructor(node) {
    this.node = node;
    /** @type {string | null} */
    this.resultUrl = null; // what a node after this one made of the boxes
    /** @type {string | null} */
    this.inputUrl = null; // the picture that reached this node in the last run
    /** @type {string | null} */
    this.inputSource = null; // what fed the node then
    /** @type {Size | null} */
    this.lastSize = null;
    /** @type {Size | null} */
    this.imageSize = null;
    /** @type {string | null} */
    this.imageSizeOf = null;
  }

  /** The connected Load Image's own picture, known before any run. */
  get loadedUrl() {
    const image = parseImageName(valueOf(upstream(this.node, "image"), "image"));
    return image && imageUrl(image);
  }

  /** Tells one wiring of the image input from another. */
  get source() {
    const origin = upstream(this.node, "image");
    return origin ? `${origin.id} ${this.loadedUrl ?? ""}` : null;
  }

  /** @param {import("./editor.js").BackgroundChoice} choice @returns {string | null} */
  url(choice) {
    const input = this.loadedUrl ?? (this.source && this.source === this.inputSource ? this.inputUrl : null);
    if (choice === "none") return null;
    if (choice === "input") return input;
    if (choice === "result") return this.resultUrl;
    return input ?? this.resultUrl;
  }

  /** @returns {Size} */
  get size() {
    const { node, lastSize } = this;
    const image = upstream(node, "image"); // an input of a subgraph that nothing feeds counts as none
    const latent = upstream(node, "latent");
    if (image) {
      if (this.imageSize && this.imageSizeOf === this.loadedUrl) return this.imageSize;
      if (lastSize) return lastSize;
    } else if (latent) {
      const [width, height] = [valueOf(latent, "width"), valueOf(latent, "height")];
      if (isSide(width) && isSide(height)) return { width: Number(width), height: Number(height) };
      if (lastSize) return lastSize;
    }
    const side = (/** @type {"width"|"height"} */ name) => {
      const value = valueOf(node, name) ?? lastSize?.[name];
      return isSide(value) ? Number(value) : FALLBACK;
    };
    return { width: side("width"), height: side("height") };
  }

  /** The picture has been loaded and shows its size. @param {string} url @param {Size} size */
  measured(url, size) {
    if (url !== this.loadedUrl) return;
    this.imageSize = size;
    this.imageSizeOf = url;
  }

  /** This node has run. @param {{box_editor_image?: SavedImage[], box_editor_size?: number[]}} output */
  ran(output) {
    const [image] = output.box_editor_image ?? [];
    if (image) {
      this.inputUrl = imageUrl(image);
      this.inputSource = this.source;
    }
    const [width, height] = output.box_editor_size ?? [];
    if (isSide(width) && isSide(height)) this.lastSize = { width, height };
  }

  /** Some node has shown pictures. @param {string} id @param {SavedImage[] | undefined} images @returns {boolean} whether they matter here */
  shown(id, images) {
    if (!images?.length || !images[0].filename || !this.node.graph || !isDownstream(this.node, id)) return false;
    this.resultUrl = imageUrl(images[images.length - 1]);
    return true;
  }
}
