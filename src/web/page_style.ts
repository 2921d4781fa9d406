/**
 * The style of the page, and its icon. Colours follow what the reader's system prefers; each is never
 * the only sign of what it says. All texts have a contrast of 4.5 or more (WCAG 2.2, AA).
 *
 * @module
 */

/** The style sheet. */
export const STYLE_SHEET = `:root {
  color-scheme: light dark;
  --ground: #ffffff; --sheet: #f5f6f8; --text: #1b1f24; --dim: #4d5561; --line: #c9ced6;
  --link: #0b57b0; --bad: #b3121d; --bad-ground: #fdecec; --warn: #7a4b00; --warn-ground: #fff3dc;
  --good: #17663a; --good-ground: #e8f6ed; --on-mark: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --sheet: #1d2126; --text: #e6e9ed; --dim: #a9b1bc; --line: #3c434d;
    --link: #86bbff; --bad: #ff9a9a; --bad-ground: #3a1a1c; --warn: #f2c06b; --warn-ground: #33270f;
    --good: #86d9a5; --good-ground: #14301f; --on-mark: #14171b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main, footer { max-width: 76rem; margin: 0 auto; padding: 1rem; }
footer { border-top: 1px solid var(--line); color: var(--dim); }
h1 { font-size: 1.5rem; margin: 0.5rem 0 0; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; }
h3 { font-size: 1rem; margin: 0 0 0.5rem; }
h4 { font-size: 0.9rem; margin: 1rem 0 0.25rem; color: var(--dim); }
header p { margin: 0; color: var(--dim); }
a { color: var(--link); }
a:focus-visible, button:focus-visible, input:focus-visible, summary:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px;
}
.skip { position: absolute; left: -100vw; padding: 0.5rem; background: var(--ground); }
.skip:focus { left: 0.5rem; top: 0.5rem; z-index: 1; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.standing { margin: 1rem 0; padding: 0.75rem 1rem; border-left: 0.5rem solid; }
.standing h2 { margin: 0; font-size: 1.4rem; }
.standing p { margin: 0.25rem 0 0; color: var(--text); }
.standing.bad { background: var(--bad-ground); color: var(--bad); }
.standing.warn { background: var(--warn-ground); color: var(--warn); }
.standing.good { background: var(--good-ground); color: var(--good); }
.old .standing { filter: grayscale(1); }
.old #age { color: var(--bad); font-weight: 700; }
header #live { margin-top: 0.5rem; }
.badge { display: inline-block; padding: 0 0.4rem; border-radius: 0.25rem; color: var(--on-mark); }
.badge.bad { background: var(--bad); }
.badge.warn { background: var(--warn); }
.badge.good { background: var(--good); }
.wrong { list-style: none; margin: 0; padding: 0; }
.wrong li { padding: 0.5rem 1rem; margin: 0.5rem 0; border-left: 0.25rem solid; }
.wrong li.bad { background: var(--bad-ground); border-color: var(--bad); }
.wrong li.warn { background: var(--warn-ground); border-color: var(--warn); }
.wrong p { margin: 0.25rem 0 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; margin: 0.5rem 0; }
caption { text-align: left; color: var(--dim); padding: 0.25rem 0; overflow-wrap: anywhere; }
th, td { text-align: left; vertical-align: top; padding: 0.5rem 0.75rem 0.5rem 0; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--dim); font-size: 0.9rem; white-space: nowrap; }
thead th:first-child { padding-left: 0.75rem; }
tbody th { font-weight: 600; padding-left: 0.5rem; border-left: 0.25rem solid transparent; min-width: 12rem; max-width: 24rem; }
tr.bad > th { border-left-color: var(--bad); }
tr.warn > th { border-left-color: var(--warn); }
.right { text-align: right; padding-right: 1.5rem; }
.number, .right { font-variant-numeric: tabular-nums; }
.name, .root, td, dd { overflow-wrap: anywhere; }
code, pre { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; font-size: 0.9em; }
.root { font-size: 0.8em; color: var(--dim); }
small, .left-out { color: var(--dim); font-weight: 400; font-size: 0.9rem; }
form { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; margin: 0.5rem 0; }
input, button { font: inherit; min-height: 2.5rem; padding: 0.25rem 0.75rem; color: var(--text); background: var(--sheet); border: 1px solid var(--dim); border-radius: 0.25rem; }
input { flex: 1 1 12rem; max-width: 30rem; }
button { cursor: pointer; }
.word { display: inline-block; max-width: 100%; }
.steps > li { margin: 1rem 0; }
.steps p { margin: 0.5rem 0; }
.steps ul, .steps ol { margin: 0.5rem 0; padding-left: 1.5rem; }
samp { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; font-size: 0.9em; font-weight: 600; }
.drawings { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
figure, article { margin: 0; padding: 0.75rem; background: var(--sheet); border: 1px solid var(--line); border-radius: 0.25rem; min-width: 0; }
figcaption { font-weight: 600; margin-bottom: 0.5rem; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--link); min-height: 1.5rem; }
svg { --halo: var(--ground); display: block; width: 100%; height: auto; max-width: 30rem; }
svg text { fill: var(--text); paint-order: stroke; stroke: var(--halo); stroke-width: 4px; font: 12px system-ui, "DejaVu Sans", sans-serif; }
.drawings svg { --halo: var(--sheet); }
svg .size { fill: var(--dim); font-variant-numeric: tabular-nums; }
svg .track { stroke: var(--line); stroke-width: 2; }
svg line.ours { stroke: var(--dim); stroke-dasharray: 2 4; }
svg .mark { fill: var(--text); stroke: var(--text); stroke-width: 2; }
svg .mark.same { fill: var(--good); stroke: var(--good); }
svg .mark.open { fill: var(--sheet); stroke: var(--dim); }
svg .mark.contradicts { fill: none; stroke: var(--bad); stroke-width: 3; }
svg .branch { fill: none; stroke: var(--dim); stroke-width: 3; }
svg .branch.A { stroke: var(--link); }
svg .branch.B { stroke: var(--bad); stroke-dasharray: 8 4; }
svg .branch-end.A { fill: var(--link); stroke: var(--link); }
svg .branch-end.B { fill: var(--ground); stroke: var(--bad); }
.halves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; margin-top: 1rem; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; margin: 0.5rem 0; }
.facts dt { color: var(--dim); }
.facts dd { margin: 0; min-width: 0; }
.facts .root { font-size: 0.9em; color: var(--text); }
pre { margin: 0; padding: 0.5rem; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--ground); border: 1px solid var(--line); }
.command { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; margin: 0.25rem 0 1rem; }
.command code { flex: 1 1 18rem; min-width: 0; padding: 0.5rem; background: var(--sheet); border: 1px solid var(--line); overflow-wrap: anywhere; }
@media (max-width: 50rem) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, caption, tbody, tr, tbody th, td { display: block; width: 100%; min-width: 0; max-width: none; }
  tr { padding: 0.5rem 0; border-top: 2px solid var(--line); }
  tbody th, td, td.right { border-top: 0; padding: 0.15rem 0 0.15rem 0.75rem; text-align: left; }
  tbody th { padding-left: 0.5rem; }
  h1 { font-size: 1.25rem; }
  td::before { content: attr(data-label) ": "; color: var(--dim); }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: 0.5rem; }
  .steps { padding-left: 1.25rem; }
}
@media print { .skip, #live, button, form { display: none; } }
`;

/** The icon: one line that parts in two. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="6" fill="#0b57b0"/>
<path d="M4 16h8c5 0 3-8 8-8h8M12 16c5 0 3 8 8 8h8" fill="none" stroke="#fff" stroke-width="3"/>
</svg>
`;
