/** The page's style: light and dark by the system's wish or the page's switch, from 320 pixels up, and for print. */
export const pageStyle = `
:root { color-scheme: light dark; --ink: #172033; --muted: #4f5b73; --line: #d5dbe6; --surface: #ffffff; --page: #f4f6fa; --accent: #1f5fae;
  --chart-1: #2f6fba; --chart-2: #c8641b; --chart-3: #9aa7bd; --gold: #cdeed3; --gold-line: #1a7f37; --predicted: #d6e6ff; --predicted-line: #1f5fae;
  --other: #fbe3cf; --other-line: #a84d0b; --good: #1a6b30; --bad: #a8321a; }
@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) { --ink: #e8ecf4; --muted: #aab4c8; --line: #38435a; --surface: #1a2130; --page: #10151f;
  --accent: #8ab8f5; --chart-1: #6ea8f0; --chart-2: #f0a060; --chart-3: #66728a; --gold: #17472a; --gold-line: #5fd07f; --predicted: #1d3a63;
  --predicted-line: #8ab8f5; --other: #55310f; --other-line: #f0a060; --good: #6fd58a; --bad: #ff9c85; } }
:root[data-theme="dark"] { color-scheme: dark; --ink: #e8ecf4; --muted: #aab4c8; --line: #38435a; --surface: #1a2130; --page: #10151f;
  --accent: #8ab8f5; --chart-1: #6ea8f0; --chart-2: #f0a060; --chart-3: #66728a; --gold: #17472a; --gold-line: #5fd07f; --predicted: #1d3a63;
  --predicted-line: #8ab8f5; --other: #55310f; --other-line: #f0a060; --good: #6fd58a; --bad: #ff9c85; }
:root[data-theme="light"] { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: anywhere; }
header, main, footer { max-width: 1120px; margin: 0 auto; padding: 0 16px; }
header { padding-top: 24px; display: flex; gap: 16px; align-items: flex-start; justify-content: space-between; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.25rem; margin: 0 0 4px; }
h3 { font-size: 1rem; margin: 20px 0 4px; }
p { margin: 4px 0 12px; }
.muted, figcaption, .note { color: var(--muted); font-size: .92rem; }
.warning { border-left: 4px solid var(--bad); padding: 4px 0 4px 12px; margin: 12px 0; }
nav { max-width: 1120px; margin: 12px auto 0; padding: 0 16px; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0; padding: 0; }
a { color: var(--accent); }
section { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin: 20px 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 12px 0 20px; padding: 0; }
.cards > div { border: 1px solid var(--line); border-radius: 8px; padding: 12px; }
.cards dt { color: var(--muted); font-size: .88rem; }
.cards dd { margin: 0; font-size: 1.6rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.cards dd small { display: block; font-size: .82rem; font-weight: 400; color: var(--muted); }
.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 24px; }
figure { margin: 8px 0 12px; }
.chart { display: block; width: 100%; height: auto; }
.chart.narrow { display: none; max-width: 420px; }
.pair .chart.wide { display: none; } .pair .chart.narrow { display: block; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; line-height: 1.35; }
caption { text-align: left; color: var(--muted); padding-bottom: 4px; }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th.text, td.text { text-align: left; overflow-wrap: break-word; }
td.text { min-width: 7rem; } th.text { min-width: 4.5rem; }
th small { display: block; color: var(--muted); font-weight: 400; }
thead th { color: var(--muted); font-weight: 600; }
tbody th { font-weight: 500; }
details { margin: 8px 0; }
summary { cursor: pointer; color: var(--accent); }
button, select, input { font: inherit; color: var(--ink); background: var(--surface); border: 1px solid var(--muted); border-radius: 6px; padding: 6px 10px; max-width: 100%; }
button { cursor: pointer; white-space: nowrap; flex: none; } button:disabled { opacity: .5; cursor: default; }
button.plain { border: 0; padding: 2px 0; color: var(--accent); text-decoration: underline; background: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.filters { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 10px; margin: 12px 0; }
.filters label { display: grid; gap: 2px; font-size: .88rem; color: var(--muted); }
.filters input, .filters select { width: 100%; }
.pages { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; margin: 12px 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 8px 0; padding: 0; list-style: none; font-size: .88rem; }
.examples { list-style: none; margin: 0; padding: 0; }
.examples > li { border-top: 1px solid var(--line); padding: 16px 0; }
.examples h3 { margin: 4px 0; font-size: 1.05rem; }
.facts { display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--muted); font-size: .88rem; font-variant-numeric: tabular-nums; }
.facts strong { color: var(--ink); }
.answers { display: grid; grid-template-columns: fit-content(35%) minmax(0, 1fr); gap: 2px 12px; margin: 8px 0; }
.answers dt { color: var(--muted); font-size: .88rem; } .answers dd { margin: 0; }
.context { margin: 8px 0 4px; white-space: pre-wrap; }
mark { color: inherit; border-radius: 3px; padding: 1px 0; background: none; }
mark.gold { background: var(--gold); border-bottom: 2px solid var(--gold-line); }
mark.predicted { background: var(--predicted); border-bottom: 2px dashed var(--predicted-line); }
mark.gold.predicted { background: linear-gradient(var(--gold) 50%, var(--predicted) 50%); border-bottom: 2px solid var(--gold-line); }
mark.other { box-shadow: inset 0 2px var(--other-line); }
.vh { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.up { color: var(--good); } .down { color: var(--bad); }
footer { padding: 0 16px 32px; color: var(--muted); font-size: .88rem; }
@media (max-width: 900px) {
  section { padding: 16px 12px; border-radius: 8px; } header, main, nav, footer { padding-left: 10px; padding-right: 10px; }
  h1 { font-size: 1.3rem; } .pair { grid-template-columns: minmax(0, 1fr); gap: 8px; }
  .chart.wide { display: none; } .chart.narrow { display: block; } .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
@media (max-width: 480px) { .filters { grid-template-columns: repeat(2, minmax(0, 1fr)); } .filters label:first-child { grid-column: 1 / -1; } table { font-size: .84rem; } th, td { padding: 4px 5px; } .cards dd { font-size: 1.35rem; } }
@media print { body { background: none; } header button, .filters, .pages { display: none; } section { break-inside: avoid-page; border: 0; padding: 0; } }
`;
