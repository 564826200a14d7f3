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
      // The part itself stays: a reader aloud listens to it, and not to one that is put in its place.
      old.className = next.className;
      old.replaceChildren(...next.childNodes);
      old.dataset.was = was;
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

  const two = (value) => String(value).padStart(2, "0");

  function clock(seconds, step) {
    const date = new Date(seconds * 1000);
    const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
    if (step >= 86400) return `${date.getUTCMonth() + 1}-${two(date.getUTCDate())}`;
    return step < 60 ? `${time}:${two(date.getUTCSeconds())}` : time;
  }

  const says = (value) => (value == null ? "" : value.toLocaleString("en"));

  function options(width) {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--edge"), width: 0.5 }, ticks: { stroke: colour("--edge") } };
    return {
      width, height: Math.max(210, Math.min(300, width * 0.4)), legend: { show: false }, cursor: { y: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      axes: [
        { ...axis, space: 90, values: (plot, marks, axisAt, space, step) => marks.map((mark) => clock(mark, step)) },
        { ...axis, size: 64, values: (plot, marks) => marks.map((mark) => (Number.isInteger(mark) ? says(mark) : "")) },
      ],
      scales: { y: { range: (plot, low, high) => [0, Math.max(4, high * 1.05)] } },
      series: [
        {},
        { stroke: colour("--one"), width: 2.5, fill: colour("--area"), points: { show: false } },
        { stroke: colour("--two"), width: 2.5, dash: [7, 4], points: { show: false } },
      ],
      hooks: { setCursor: [(plot) => read(plot.cursor.idx)] },
    };
  }

  const box = document.getElementById("tide");
  const readout = document.createElement("p");
  readout.className = "readout quiet";
  let chart = null, columns = null;

  // Say in text what the pointer is at, or what is now.
  function read(at) {
    const place = at == null ? columns[0].length - 1 : at;
    readout.textContent = `${clock(columns[0][place], 1)} UTC: ${says(columns[1][place])} live, low-water mark ${says(columns[2][place])}`;
  }

  function draw() {
    if (!columns || columns[0].length < 2) return;
    if (!chart) {
      const legend = box.querySelector(".legend");
      box.replaceChildren();
      chart = new uPlot(options(box.clientWidth), columns, box);
      const canvas = box.querySelector("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-labelledby", "tide-title");
      canvas.setAttribute("aria-describedby", "tide-says");
      box.append(...(legend ? [legend] : []), readout);
    } else {
      chart.setData(columns);
    }
    read(chart.cursor.idx);
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
