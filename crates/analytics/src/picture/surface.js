// A painter's-algorithm renderer: quads sorted by depth, coloured by cividis, axes with ticks.
const canvas = document.getElementById("c"), pen = canvas.getContext("2d");
const menu = document.getElementById("q");
const CIVIDIS = [[0,34,78],[18,53,112],[59,73,108],[87,93,109],[112,113,115],[138,134,120],[165,156,116],[195,179,105],[225,204,85],[254,232,56]];
let turn = -0.7, tilt = 0.5, zoom = 1, grid = DATA.grids[0];
DATA.grids.forEach((g, n) => menu.add(new Option(g.name, n)));
menu.onchange = () => { grid = DATA.grids[menu.value]; draw(); };
const span = v => { let a = Infinity, b = -Infinity; for (const x of v) if (x !== null) { a = Math.min(a, x); b = Math.max(b, x); } return a < b ? [a, b] : [a - 1, a + 1]; };
const unit = (v, s) => (v - s[0]) / (s[1] - s[0]) - 0.5;
function colour(t) {
  const at = Math.max(0, Math.min(8.999, t * 9)), n = Math.floor(at), f = at - n;
  return "rgb(" + [0, 1, 2].map(i => Math.round(CIVIDIS[n][i] * (1 - f) + CIVIDIS[n + 1][i] * f)) + ")";
}
function ticks(s, count) {
  const raw = (s[1] - s[0]) / count, p = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map(m => m * p).find(m => m >= raw), out = [];
  for (let n = Math.ceil(s[0] / step); n * step <= s[1] + 1e-9 * step; n++) out.push(n * step);
  const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) + (step / p === 2.5 ? 0.9 : 0))));
  return out.map(v => [v, v.toFixed(digits)]);
}
function draw() {
  const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = Math.max(300, Math.min(w * 0.8, window.innerHeight - 110));
  canvas.style.height = h + "px"; canvas.width = w * ratio; canvas.height = h * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0); pen.clearRect(0, 0, w, h);
  const font = w < 500 ? 11 : 13; pen.font = font + "px system-ui,sans-serif";
  const sx = span(DATA.x), sy = span(DATA.y), sz = span(grid.rows.flat());
  const size = Math.min(w * 0.58, h * 0.68) * zoom, ct = Math.cos(turn), st = Math.sin(turn), cu = Math.cos(tilt), su = Math.sin(tilt);
  // x right, y into the page, z up, each in [-0.5, 0.5].
  const place = (x, y, z) => {
    const a = x * ct - y * st, b = x * st + y * ct;
    // b points away from the eye, which looks down by `tilt`; the third entry grows towards the eye.
    return [w / 2 + a * size, 0.46 * h - (z * 0.75 * cu + b * su) * size, z * su - b * cu];
  };
  const line = (a, b, s, width) => { pen.strokeStyle = s; pen.lineWidth = width; pen.beginPath(); pen.moveTo(a[0], a[1]); pen.lineTo(b[0], b[1]); pen.stroke(); };
  const text = (s, p, align) => { pen.fillStyle = "#222"; pen.textAlign = align; pen.textBaseline = "middle"; pen.fillText(s, p[0], p[1]); };
  // The floor and the two far walls.
  const fx = st > 0 ? 0.5 : -0.5, fy = ct > 0 ? 0.5 : -0.5, nx = -fx, ny = -fy;
  const X = ticks(sx, w < 500 ? 4 : 6), Y = ticks(sy, 5), Z = ticks(sz, 5);
  for (const [v] of X) { const u = unit(v, sx); line(place(u, -0.5, -0.5), place(u, 0.5, -0.5), "#ddd", 1); line(place(u, fy, -0.5), place(u, fy, 0.5), "#ddd", 1); }
  for (const [v] of Y) { const u = unit(v, sy); line(place(-0.5, u, -0.5), place(0.5, u, -0.5), "#ddd", 1); line(place(fx, u, -0.5), place(fx, u, 0.5), "#ddd", 1); }
  for (const [v] of Z) { const u = unit(v, sz); line(place(-0.5, fy, u), place(0.5, fy, u), "#ddd", 1); line(place(fx, -0.5, u), place(fx, 0.5, u), "#ddd", 1); }
  const quads = [], up = [];
  for (let r = 0; r < DATA.y.length; r++) up.push(DATA.x.map((x, c) => grid.rows[r][c] === null ? null : place(unit(x, sx), unit(DATA.y[r], sy), unit(grid.rows[r][c], sz))));
  for (let r = 0; r + 1 < DATA.y.length; r++) for (let c = 0; c + 1 < DATA.x.length; c++) {
    const p = [up[r][c], up[r][c + 1], up[r + 1][c + 1], up[r + 1][c]];
    if (p.some(q => q === null)) continue;
    const z = (grid.rows[r][c] + grid.rows[r][c + 1] + grid.rows[r + 1][c + 1] + grid.rows[r + 1][c]) / 4;
    quads.push([p[0][2] + p[1][2] + p[2][2] + p[3][2], p, unit(z, sz) + 0.5]);
  }
  quads.sort((a, b) => a[0] - b[0]);
  for (const [, p, t] of quads) {
    pen.beginPath(); p.forEach((q, n) => n ? pen.lineTo(q[0], q[1]) : pen.moveTo(q[0], q[1])); pen.closePath();
    pen.fillStyle = colour(t); pen.fill(); pen.strokeStyle = "rgba(255,255,255,.35)"; pen.lineWidth = 0.6; pen.stroke();
  }
  const out = 0.06, far = w < 500 ? 0.24 : 0.2;
  const middle = place(0, 0, -0.5), side = p => p[0] < middle[0] - 8 ? "right" : p[0] > middle[0] + 8 ? "left" : "center";
  for (const [v, s] of X) { const p = place(unit(v, sx), ny * (1 + 2 * out), -0.5); text(s, p, side(p)); }
  for (const [v, s] of Y) { const p = place(nx * (1 + 2 * out), unit(v, sy), -0.5); text(s, p, side(p)); }
  const px = place(0, ny * (1 + 2 * far), -0.5), py = place(nx * (1 + 2 * far), 0, -0.5);
  px[1] += 16; py[1] += 16;
  const fit = (p, s) => { const half = pen.measureText(s).width / 2 + 2; p[0] = Math.max(half, Math.min(w - half, p[0])); p[1] = Math.min(h - 8, p[1]); text(s, p, "center"); };
  fit(px, DATA.xLabel); fit(py, DATA.yLabel);
  const corners = [[fx, ny], [nx, fy]].map(([x, y]) => place(x, y, 0)).sort((a, b) => a[0] - b[0]);
  const left = corners[0][0] === place(fx, ny, 0)[0] ? [fx, ny] : [nx, fy];
  for (const [v, s] of Z) { const p = place(left[0], left[1], unit(v, sz)); text(s, [Math.max(p[0] - 6, pen.measureText(s).width + 2), p[1]], "right"); }
  const top = place(left[0], left[1], 0.5), name = grid.name;
  pen.font = "600 " + font + "px system-ui,sans-serif";
  text(name, [Math.max(4, Math.min(w - pen.measureText(name).width - 4, top[0] - 40)), Math.max(font, top[1] - 18)], "left");
}
let from = null; const touches = new Map();
canvas.onpointerdown = e => { canvas.setPointerCapture(e.pointerId); touches.set(e.pointerId, e); from = [e.clientX, e.clientY]; };
canvas.onpointerup = canvas.onpointercancel = e => { touches.delete(e.pointerId); from = null; };
canvas.onpointermove = e => {
  if (!touches.has(e.pointerId)) return;
  if (touches.size === 2) {
    const gap = () => { const [a, b] = [...touches.values()]; return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY); };
    const before = gap(); touches.set(e.pointerId, e); zoom = Math.max(0.5, Math.min(3, zoom * gap() / before)); from = null;
  } else if (from) {
    turn += (e.clientX - from[0]) * 0.008; tilt = Math.max(0.05, Math.min(1.5, tilt + (e.clientY - from[1]) * 0.006));
    from = [e.clientX, e.clientY]; touches.set(e.pointerId, e);
  } else { from = [e.clientX, e.clientY]; touches.set(e.pointerId, e); }
  draw();
};
canvas.addEventListener("wheel", e => { e.preventDefault(); zoom = Math.max(0.5, Math.min(3, zoom * Math.exp(-e.deltaY * 0.001))); draw(); }, { passive: false });
window.addEventListener("keydown", e => {
  const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.08], ArrowDown: [0, 0.08] }[e.key];
  if (step && document.activeElement !== menu) { turn += step[0]; tilt = Math.max(0.05, Math.min(1.5, tilt + step[1])); draw(); e.preventDefault(); }
});
window.addEventListener("resize", draw); draw();
