// Draws each chart from the table below it. A click opens the list of that minute or hour.
import './console.js';

const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 2], [1, 4]];
const drawn = new Map();

// A canvas does not understand light-dark(), so the browser is asked for the computed colour.
function colour(name) {
  const probe = document.body.appendChild(document.createElement('span'));
  probe.style.color = `var(${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// One point for each step from the first to the last. A step without a row had no events.
function read(table) {
  const { from, to, step, empty } = table.dataset;
  const lines = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  const rows = new Map([...table.tBodies[0].rows].map((row) => [Number(row.dataset.t), row]));
  const data = [[], ...lines.map(() => [])];
  for (let at = Number(from); at < Number(to); at += Number(step)) {
    data[0].push(at);
    const cells = rows.get(at)?.cells;
    lines.forEach((_, i) => {
      const value = cells ? Number(cells[i + 1].textContent) : NaN;
      data[i + 1].push(Number.isNaN(value) ? (empty === '0' ? 0 : null) : value);
    });
  }
  return { lines, data };
}

function iso(seconds) {
  return new Date(seconds * 1000).toISOString().replace('.000', '');
}

// Hours and minutes in the viewer's time zone; for more than two days, the day.
const zone = document.body.dataset.zone || 'UTC';
const day = 86400;
function tick(plot, at) {
  const text = new Date(at * 1000).toLocaleString('sv', { timeZone: zone });
  return plot.scales.x.max - plot.scales.x.min > 2 * day ? text.slice(5, 10) : text.slice(11, 16);
}

function draw(figure) {
  const table = figure.querySelector('table');
  const plot = figure.querySelector('.plot');
  if (!table) return;
  const { lines, data } = read(table);
  // A point between two gaps has no line: it is seen only as a point.
  const isSparse = data[1].filter((value) => value !== null).length * 2 < data[0].length;
  const hasGaps = table.dataset.empty !== '0' && isSparse;
  const grid = { stroke: colour('--border'), width: 1 };
  const axis = { stroke: colour('--muted-foreground'), grid, ticks: { show: false } };
  plot.hidden = false;
  drawn.get(plot)?.destroy();
  const chart = new uPlot({
    width: plot.clientWidth,
    height: 190,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone === 'UTC' ? 'Etc/UTC' : zone),
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: { y: { range: (_, low, high) => [0, Math.max(1, high ?? 1) * 1.05] } },
    axes: [{ ...axis, values: (plot, splits) => splits.map((at) => tick(plot, at)) }, { ...axis, size: 58 }],
    series: [
      { label: zone, value: '{YYYY}-{MM}-{DD} {HH}:{mm}' },
      ...lines.map((label, i) => ({
        label,
        stroke: colour(`--line-${i % 6}`),
        width: 2,
        dash: dashes[i % 6],
        points: { size: 5, ...(hasGaps && { show: true }) },
        value: (_, value) => (value === null || value === undefined ? '–' : value.toLocaleString()),
      })),
    ],
  }, data, plot);
  drawn.set(plot, chart);
  if (!table.dataset.list) return;
  chart.over.classList.add('leads');
  chart.over.addEventListener('click', () => {
    const at = chart.data[0][chart.posToIdx(chart.cursor.left)];
    location.href = table.dataset.list.replace('{from}', iso(at)).replace('{to}', iso(at + Number(table.dataset.step)));
  });
}

function drawAll() {
  for (const figure of document.querySelectorAll('figure.chart')) draw(figure);
}

drawAll();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
new ResizeObserver((changed) => {
  for (const { target } of changed)
    for (const [plot, chart] of drawn)
      if (target.contains(plot)) chart.setSize({ width: plot.clientWidth, height: 190 });
}).observe(document.getElementById('main'));
