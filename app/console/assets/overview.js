// Draws each chart of the overview from the table beside it, with the values under the pointer.
"use strict";

(() => {
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const drawn = new Map();

  function read(figure) {
    const rows = [...figure.querySelectorAll("tbody tr")].reverse();
    const at = rows.map((row) => {
      const head = row.querySelector("th");
      return Date.parse(head.querySelector("time")?.dateTime ?? head.textContent.trim()) / 1000;
    });
    const heads = [...figure.querySelectorAll("thead th[data-series]")];
    const series = heads.map((head, place) => ({
      label: head.textContent,
      colour: style(`--chart-${head.dataset.series}`),
      values: rows.map((row) => {
        const value = Number.parseFloat(row.querySelectorAll("td")[place].textContent);
        return Number.isNaN(value) ? null : value;
      }),
    }));
    return { at, series };
  }

  function draw(figure) {
    const plot = figure.querySelector(".plot");
    const { at, series } = read(figure);
    const isRate = figure.dataset.chart === "rate";
    const isMoney = figure.dataset.chart === "money";
    const isHourly = Boolean(figure.dataset.hourly);
    const step = isHourly ? 3600 : 86400;
    const zone = isHourly ? undefined : "UTC";
    const when = new Intl.DateTimeFormat(undefined, { timeZone: zone, month: "short", day: "numeric", ...(isHourly && { hour: "2-digit", minute: "2-digit" }) });
    const written = (value) => (value == null ? "–" : isRate ? `${value}%` : value.toLocaleString(undefined, { maximumFractionDigits: 4 }));
    // Bars are stacked: the sums are drawn from the largest down, the legend shows the values.
    const sums = series.map((one) => one.values);
    if (!isRate) for (let place = 1; place < sums.length; place += 1) sums[place] = sums[place].map((value, slot) => (value ?? 0) + (sums[place - 1][slot] ?? 0));
    const order = series.map((_, place) => place).reverse();
    const axis = { stroke: style("--bp-quiet"), grid: { stroke: style("--bp-line"), width: 1 }, ticks: { stroke: style("--bp-line"), width: 1 }, font: "12px system-ui, sans-serif" };
    const options = {
      width: plot.clientWidth || 600,
      height: 220,
      tzDate: (seconds) => (isHourly ? new Date(seconds * 1000) : uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC")),
      cursor: { drag: { x: false, y: false }, points: { show: isRate } },
      scales: {
        x: { time: true, range: (_, least, most) => [least - step / 2, most + step / 2] },
        y: { range: (_, __, most) => [0, isRate ? 100 : Math.max(isMoney ? 0.01 : 1, most * 1.05)] },
      },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((tick) => when.format(new Date(tick * 1000))), space: 90, incrs: isHourly ? [3600, 10800, 21600, 43200, 86400] : [86400, 604800, 1209600] },
        { ...axis, ...(!isRate && !isMoney && { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7] }), label: figure.dataset.unit, labelFont: "12px system-ui, sans-serif", labelSize: 22, size: 52 },
      ],
      series: [
        { label: isHourly ? "Hour" : "Day", value: (_, seconds) => (seconds == null ? "–" : when.format(new Date(seconds * 1000))) },
        ...order.map((place) => ({
          label: series[place].label,
          stroke: series[place].colour,
          fill: isRate ? undefined : series[place].colour,
          width: isRate ? 2 : 0,
          spanGaps: false,
          points: { show: isRate && at.length < 32 },
          paths: isRate ? undefined : uPlot.paths.bars({ size: [0.8, 80] }),
          value: (_, __, ___, slot) => written(slot == null ? null : series[place].values[slot]),
        })),
      ],
    };
    drawn.get(figure)?.destroy();
    plot.hidden = false;
    options.width = plot.clientWidth;
    drawn.set(figure, new uPlot(options, [at, ...order.map((place) => sums[place])], plot));
    const canvas = plot.querySelector("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${figure.querySelector("figcaption strong").textContent}; the table has the same figures`);
  }

  const figures = [...document.querySelectorAll("figure[data-chart]")];
  for (const figure of figures) {
    draw(figure);
    figure.querySelector("details").open = false;
    new ResizeObserver(([entry]) => drawn.get(figure).setSize({ width: Math.max(200, Math.floor(entry.contentRect.width)), height: 220 })).observe(figure.querySelector(".plot"));
  }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => figures.forEach(draw));
})();
