// Keeps the page fresh and draws the tide. Without it the page is whole, and stands still.
"use strict";
(() => {
  const EVERY = 5000, TIDE_EVERY = 2000;
  const pause = document.getElementById("pause");
  const isResting = () => document.hidden || (pause && pause.getAttribute("aria-pressed") === "true");

  // Take the live parts out of the same page, fetched again. One that somebody is in stays as it is.
  async function refresh() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    for (const old of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(old.id);
      if (!next || next.innerHTML === old.dataset.was || isBusy(old)) continue;
      const was = next.innerHTML;
      for (const open of old.querySelectorAll("details[open][id]")) {
        const same = next.querySelector("#" + open.id);
        if (same) same.open = true;
      }
      const put = document.adoptNode(next);
      old.replaceWith(put);
      put.dataset.was = was;
    }
  }

  function isBusy(part) {
    const selection = document.getSelection();
    const selected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
    return selected || part.contains(document.activeElement);
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function options(width) {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--edge"), width: 0.5 }, ticks: { stroke: colour("--edge") } };
    const whole = (plot, marks) => marks.map((mark) => (Number.isInteger(mark) ? mark.toLocaleString("en") : ""));
    const says = (plot, value) => (value == null ? "" : value.toLocaleString("en"));
    return {
      width, height: Math.max(200, Math.min(300, width * 0.36)), cursor: { y: false },
      axes: [axis, { ...axis, values: whole, size: 64 }],
      scales: { y: { range: (plot, low, high) => [0, Math.max(4, high * 1.05)] } },
      series: [
        { label: "at" },
        { label: "live tasks", stroke: colour("--one"), width: 2, fill: colour("--area"), value: says },
        { label: "low-water mark (dashed)", stroke: colour("--two"), width: 2, dash: [7, 4], value: says },
      ],
    };
  }

  const box = document.getElementById("tide");
  let chart = null, columns = null;

  function draw() {
    if (!columns || columns[0].length < 2) return;
    const width = box.clientWidth;
    if (!chart) {
      box.replaceChildren();
      chart = new uPlot(options(width), columns, box);
      const canvas = box.querySelector("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-labelledby", "tide-title");
      canvas.setAttribute("aria-describedby", "tide-says");
    } else {
      chart.setData(columns);
    }
  }

  async function flow() {
    const answer = await fetch(box.dataset.source, { credentials: "same-origin" });
    if (!answer.ok) return;
    columns = (await answer.json()).columns;
    draw();
  }

  function redraw() {
    if (chart) { chart.destroy(); chart = null; draw(); }
  }

  function repeat(work, every) {
    const turn = async () => {
      try {
        if (!isResting()) await work();
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // the process is gone: what was last seen stays
      }
      setTimeout(turn, every);
    };
    return turn;
  }

  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      const rests = pause.getAttribute("aria-pressed") !== "true";
      pause.setAttribute("aria-pressed", String(rests));
      pause.textContent = rests ? "Updates are paused" : "Pause updates";
    });
    setTimeout(repeat(refresh, EVERY), EVERY);
  }
  if (box) {
    repeat(flow, TIDE_EVERY)();
    addEventListener("resize", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }
})();
