// Runs before a page's own scripts, on both sides: notes what is drawn, received and when. `__bench.done` holds the
// moment at which a frame with all lines of all plots had been made.

(() => {
  const bench = (window.__bench = { done: 0, first: 0, strokes: 0, sockets: [], bokeh: 0, drawn: new Map(), tasks: [] });
  const wanted = /*WANTED*/ { plots: 12, colors: [] };
  const colors = new Set(wanted.colors);

  // A canvas shows a line once it was stroked in the line's colour.
  const { stroke } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.stroke = function (...path) {
    stroke.apply(this, path);
    if (colors.has(this.strokeStyle) && this.canvas.width > 1) {
      let own = bench.drawn.get(this.canvas);
      if (!own) bench.drawn.set(this.canvas, (own = { colors: new Set(), at: 0, strokes: 0 }));
      own.colors.add(this.strokeStyle);
      own.strokes += 1;
      if (own.colors.size === colors.size && !own.at) own.at = performance.now();
    }
  };

  function panelOf(node) {
    while (node) {
      const panel = node.closest?.(".panel");
      if (panel) return panel;
      node = node.getRootNode().host;
    }
    return null;
  }

  /** Moments at which each finished plot was drawn. */
  function canvases() {
    const panels = new Map();
    for (const [canvas, { at }] of bench.drawn) {
      const panel = at && canvas.isConnected && panelOf(canvas);
      if (panel?.dataset.state === "live") panels.set(panel, at);
    }
    return [...panels.values()];
  }

  const svgs = new Map();
  function graphs() {
    for (const graph of document.querySelectorAll(".js-plotly-plot")) {
      if (svgs.has(graph)) continue;
      const lines = [...graph.querySelectorAll(".scatterlayer path.js-line")];
      if (lines.filter((line) => (line.getAttribute("d") ?? "").length > 100).length === colors.size) svgs.set(graph, performance.now());
    }
    return [...svgs.values()];
  }

  function look() {
    const moments = wanted.kind === "canvas" ? canvases() : graphs();
    if (moments.length && !bench.first) bench.first = Math.min(...moments);
    if (moments.length < wanted.plots) return requestAnimationFrame(look);
    bench.last = Math.max(...moments);
    // A task after the next frame's callbacks: that frame has been made.
    requestAnimationFrame(() => { const port = new MessageChannel(); port.port1.onmessage = () => { bench.done = performance.now(); }; port.port2.postMessage(0); });
  }
  requestAnimationFrame(look);

  /** Whether each plot's pixels, or elements, really hold its lines: asked after the time is taken. */
  bench.verify = () => {
    if (wanted.kind !== "canvas") return graphs().length;
    const rgb = wanted.colors.map((color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
    const panels = new Set();
    for (const canvas of bench.drawn.keys()) {
      if (!canvas.isConnected) continue;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const seen = rgb.map(() => 0);
      for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] < 128) continue;
        rgb.forEach((color, which) => { if (color.every((part, index) => Math.abs(data[at + index] - part) < 12)) seen[which] += 1; });
      }
      if (seen.every((pixels) => pixels > 100)) panels.add(panelOf(canvas));
    }
    return panels.size;
  };

  const { WebSocket } = window;
  window.WebSocket = class extends WebSocket {
    constructor(...options) {
      super(...options);
      const socket = { made: performance.now(), opened: 0, frames: [] };
      bench.sockets.push(socket);
      this.addEventListener("open", () => { socket.opened = performance.now(); });
      this.addEventListener("message", ({ data }) => { socket.frames.push([performance.now(), data.size ?? data.byteLength ?? data.length]); });
    }
  };

  // BokehJS is evaluated when it names itself.
  let bokeh;
  Object.defineProperty(window, "Bokeh", { configurable: true, get: () => bokeh, set: (value) => { bokeh = value; bench.bokeh ||= performance.now(); } });
  new PerformanceObserver((list) => bench.tasks.push(...list.getEntries().map(({ startTime, duration }) => [startTime, duration]))).observe({ type: "longtask", buffered: true });
})();
