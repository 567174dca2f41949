/** Icons drawn for this page: strokes on a grid of 24. */

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  add: "M12 5v14M5 12h14",
  attach: "M20 11.5l-8 8a5 5 0 0 1-7-7l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7L9.8 17.1a1.6 1.6 0 0 1-2.3-2.3l7.7-7.7",
  back: "M15 5l-7 7 7 7",
  call: "M5 4h4l2 5-2.5 1.5a11 11 0 0 0 5 5L15 13l5 2v4a1 1 0 0 1-1 1A15 15 0 0 1 4 5a1 1 0 0 1 1-1z",
  card: "M4 6h16v12H4zM7.5 14.5a2.5 2.5 0 0 1 5 0M10 11.5a1.5 1.5 0 1 0 0-.01M15 10h3M15 13.5h3",
  close: "M6 6l12 12M18 6L6 18",
  code: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  copy: "M9 9h10v11H9zM5 15V4h10",
  dark: "M19 14.5A7.5 7.5 0 0 1 9.5 5a7.5 7.5 0 1 0 9.5 9.5z",
  document: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  down: "M6 9l6 6 6-6",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  failed: "M12 3.5l9 16H3zM12 10v4.5M12 17v.2",
  flow: "M5 5h6v5H5zM13 14h6v5h-6zM8 10v6.5h5",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 2.5-2.5L20 16M15.5 9h.01",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  link: "M14 5h5v5M19 5l-8 8M10 6H5v13h13v-5",
  list: "M9 7h11M9 12h11M9 17h11M4.5 7h.01M4.5 12h.01M4.5 17h.01",
  auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  microphone: "M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3zM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  "no-offers": "M4 10v4h3l8 4V6l-8 4H4zM18 9l4 6M22 9l-4 6",
  offers: "M4 10v4h3l8 4V6l-8 4H4zM18 9.5a4 4 0 0 1 0 5",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  pin: "M12 21s-6.5-6-6.5-11a6.5 6.5 0 0 1 13 0c0 5-6.5 11-6.5 11zM12 12.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z",
  play: "M8 5.5l10.5 6.5L8 18.5z",
  react: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM8.5 14a4 4 0 0 0 7 0M9 9.5h.01M15 9.5h.01",
  reply: "M9 6l-5 5 5 5M4 11h9a7 7 0 0 1 7 7",
  send: "M4.5 12L4 4.5 21 12 4 19.5 4.5 12zM4.5 12H12",
  settings: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4M4 12h5M13 12h7M11 10v4",
  shop: "M5 9h14l-1 11H6zM9 9V7a3 3 0 0 1 6 0v2",
  sticker: "M5 4h14v9l-6 7H5zM13 20v-7h6M9 9h.01M14 9h.01",
  stop: "M7 7h10v10H7z",
  traffic: "M4 8h13M13 4l4 4-4 4M20 16H7M11 12l-4 4 4 4",
  trash: "M5 7h14M10 4h4M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  video: "M4 6h11v12H4zM15 10.5l5-3v9l-5-3",
  waiting: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.5l3 1.5",
};

/** An icon that says nothing by itself: the button around it has the name. */
export function icon(name) {
  const svg = drawing("0 0 24 24", PATHS[name]);
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  return svg;
}

/** Stroked paths in a view box. */
export function drawing(viewBox, ...paths) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", viewBox);
  for (const data of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", data);
    svg.append(path);
  }
  return svg;
}
