import { init } from "echarts";
import type { EChartsCoreOption } from "echarts/core";
import { escaped } from "./page.ts";

/** Stand for colours of the page, and are replaced by them: ECharts wants colours that it can calculate with. */
const INK = "#010203";
const FAINT = "#010204";
const SHADE = "#010205";

/** Of Okabe and Ito, told apart by colour-blind people too; all are seen on white and on black. */
const colours = ["#0a84c4", "#d55e00", "#009e73", "#cc79a7", "#d79b00", "#7f7fd5", "#8a8a8a", "#56b4e9"];
const symbols = ["circle", "diamond", "rect", "triangle", "path://M0 0L10 0L5 10Z", "roundRect", "arrow", "circle"];
/** Room for the labels at the left, which ECharts cannot measure without a browser. */
const room = (labels: readonly string[]) => 16 + Math.max(...labels.map(({ length }) => length)) * 7.7;

const text = { color: INK, fontFamily: "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif", fontSize: 13 };
const heading = (title: string) => ({
  text: title,
  left: 8,
  top: 4,
  textStyle: { ...text, fontSize: 16, fontWeight: 600 },
});
const legend = { top: 32, left: 8, textStyle: text, itemWidth: 12, itemHeight: 12, itemGap: 18 };
const axis = {
  axisLabel: text,
  nameTextStyle: text,
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { lineStyle: { color: FAINT } },
  minorSplitLine: { show: false },
};

/** Draws to SVG text, the same for the same options. It takes the colours of a light or a dark page. */
function draw(title: string, width: number, height: number, option: EChartsCoreOption): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  chart.setOption({ animation: false, color: colours, textStyle: text, title: heading(title), ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg
    .replaceAll(/<style *>.*?<\/style>\n?/gs, "") // for a pointer that hovers: these are pictures
    .replaceAll(/(fill|stroke)="(#010203|rgb\(1,2,3\))"/g, '$1="currentColor"')
    .replaceAll(/(fill|stroke)="(#010204|rgb\(1,2,4\))"/g, '$1="currentColor" $1-opacity="0.15"')
    .replaceAll(/(fill|stroke)="(#010205|rgb\(1,2,5\))"/g, '$1="currentColor" $1-opacity="0.05"')
    .replace(
      /^(<svg[^>]*>)/,
      `$1\n<title>${escaped(title)}</title>\n<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#d1d7e0}}</style>`,
    )
    // The instance's number in the names of its classes, which depends on what was drawn before.
    .replaceAll(/zr\d+-/g, "zr-")}\n`;
}

export interface RatioRow {
  readonly label: string;
  /** By series. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** A row for each thing measured, a mark for each peer, on a logarithmic axis where 1 is as fast as the peer. */
export function ratioChart(title: string, series: readonly string[], rows: readonly RatioRow[]): string {
  const ratios = rows.flatMap((row) => Object.values(row.ratios));
  const most = tick(Math.max(2, ...ratios), Math.ceil);
  return draw(title, 860, 126 + rows.length * 36, {
    legend: { ...legend, data: [...series] },
    grid: { left: room(rows.map(({ label }) => label)), right: 24, top: 66, bottom: 52 },
    xAxis: {
      ...axis,
      type: "log",
      min: tick(Math.min(0.5, ...ratios), Math.floor),
      max: most,
      axisLabel: { ...text, formatter: (value: number) => String(Number(value.toPrecision(1))) },
      name: "◂ slower    ours over the peer    faster ▸",
      nameLocation: "middle",
      nameGap: 26,
    },
    yAxis: {
      ...axis,
      type: "category",
      inverse: true,
      data: rows.map(({ label }) => label),
      splitLine: { show: true, lineStyle: { color: FAINT } },
    },
    series: series.map((name, i) => ({
      name,
      type: "scatter",
      symbol: symbols[i % symbols.length],
      symbolSize: 10,
      // One below the other, so that equal ones can be told apart.
      symbolOffset: [0, (i - (series.length - 1) / 2) * (20 / Math.max(series.length, 4))],
      itemStyle: { opacity: 0.9 },
      silent: true,
      data: rows.flatMap(({ ratios }, row) => (ratios[name] === undefined ? [] : [[ratios[name], row]])),
      ...(i > 0
        ? {}
        : {
            markLine: {
              silent: true,
              symbol: "none",
              lineStyle: { color: INK, type: "solid", width: 1.5 },
              label: { show: false },
              data: [{ xAxis: 1 }],
            },
            markArea: {
              silent: true,
              itemStyle: { color: SHADE, opacity: 1 },
              data: [[{ xAxis: 1 }, { xAxis: most }]],
            },
          }),
    })),
  });
}

/** A power of ten. */
function tick(value: number, round: (value: number) => number): number {
  return 10 ** round(Math.log10(value));
}

/** Two bars for each name. */
export function barChart(
  title: string,
  unit: string,
  names: readonly string[],
  series: Readonly<Record<string, readonly number[]>>,
): string {
  return draw(title, 860, 110 + names.length * 48, {
    legend,
    grid: { left: room(names), right: 70, top: 62, bottom: 52 },
    xAxis: { ...axis, type: "value", name: unit, nameLocation: "middle", nameGap: 26 },
    yAxis: { ...axis, type: "category", inverse: true, data: [...names] },
    series: Object.entries(series).map(([name, data]) => ({
      name,
      type: "bar",
      silent: true,
      barGap: "10%",
      barCategoryGap: "30%",
      label: { show: true, position: "right", ...text, fontSize: 12 },
      data: [...data],
    })),
  });
}

/** How much of its limit each figure takes: below 100 % it holds. */
export function limitChart(title: string, figures: readonly { label: string; value: string; share: number }[]): string {
  return draw(title, 860, 100 + figures.length * 36, {
    grid: { left: room(figures.map(({ label }) => label)), right: 90, top: 42, bottom: 52 },
    xAxis: {
      ...axis,
      type: "value",
      max: (value: { max: number }) => Math.max(150, Math.ceil(value.max / 50) * 50),
      name: "% of the limit",
      nameLocation: "middle",
      nameGap: 26,
    },
    yAxis: { ...axis, type: "category", inverse: true, data: figures.map(({ label }) => label) },
    series: [
      {
        type: "bar",
        silent: true,
        barWidth: 16,
        label: { show: true, position: "right", ...text, fontSize: 12 },
        data: figures.map(({ value, share }) => ({
          value: Math.round(share * 100),
          itemStyle: { color: share <= 1 ? colours[0] : colours[1] },
          label: { formatter: value },
        })),
        markLine: {
          silent: true,
          symbol: "none",
          lineStyle: { color: INK, type: "solid", width: 1.5 },
          label: { show: false },
          data: [{ xAxis: 100 }],
        },
      },
    ],
  });
}
