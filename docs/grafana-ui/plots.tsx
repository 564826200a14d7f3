// The heat map, the bar chart and the marks of deployments, on Grafana's plot.
import { type DataFrame, FieldType, formattedValueToString, getDisplayProcessor, getFieldDisplayName, type GrafanaTheme2, type TimeRange } from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { UPlotChart, UPlotConfigBuilder } from '@grafana/ui';
import { interpolateOranges } from 'd3-scale-chromatic';
import uPlot from 'uplot';

import { type Answer } from './frames';

type Marks = Array<{ time: number; text: string }>;
const PURPLE = '#b877d9';

/** Draw a dashed line where a version was deployed, as Grafana draws annotations. */
export function mark(config: UPlotConfigBuilder, marks: Marks) {
  config.addHook('draw', (u: uPlot) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = PURPLE;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.lineWidth = devicePixelRatio;
    for (const { time } of marks) {
      const x = Math.round(u.valToPos(time, 'x', true));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const half = 4 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x - half, bbox.top + bbox.height + half);
      ctx.lineTo(x + half, bbox.top + bbox.height + half);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.fill();
    }
    ctx.restore();
  });
}

interface PlumeProps {
  answer: Answer;
  width: number;
  height: number;
  range: TimeRange;
  marks: Marks;
  theme: GrafanaTheme2;
}

/** The ages of tasks: cumulative buckets taken apart, a row for each. */
export function Plume({ answer, width, height, range, marks, theme }: PlumeProps) {
  const rows = [...answer.result].sort((a, b) => bound(a.metric.le) - bound(b.metric.le));
  const moments = [...new Set(rows.flatMap((row) => row.values!.map(([at]) => at)))].sort((a, b) => a - b);
  const found = rows.map((row) => new Map(row.values!.map(([at, text]) => [at, Number(text)])));
  const cells = found.map((row, i) => moments.map((at) => Math.max(0, (row.get(at) ?? 0) - (found[i - 1]?.get(at) ?? 0))));
  const most = Math.max(1, ...cells.flat());
  const seconds = getDisplayProcessor({ field: { type: FieldType.number, config: { unit: 's' } }, theme });
  const text = (le: string) => (le === '+Inf' ? '+Inf' : formattedValueToString(seconds(Number(le))));

  const config = new UPlotConfigBuilder('utc');
  config.addScale({ scaleKey: 'x', isTime: true, orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right, range: () => [range.from.valueOf(), range.to.valueOf()] });
  config.addScale({ scaleKey: 'y', orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up, range: () => [0, rows.length] });
  config.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, theme });
  config.addAxis({
    scaleKey: 'y', placement: AxisPlacement.Left, theme, grid: { show: false },
    splits: rows.map((_, i) => i + 1), values: () => rows.map((row) => text(row.metric.le)), size: 70,
  });
  config.addSeries({ scaleKey: 'y', theme, lineWidth: 0, show: true, pxAlign: false } as never);
  config.addHook('draw', (u: uPlot) => {
    const step = answer.step * 1000;
    cells.forEach((row, y) =>
      row.forEach((count, x) => {
        if (!count) return;
        const left = u.valToPos(moments[x] * 1000 - step, 'x', true);
        const right = u.valToPos(moments[x] * 1000, 'x', true);
        const top = u.valToPos(y + 1, 'y', true);
        const bottom = u.valToPos(y, 'y', true);
        // In the dark theme Grafana turns this scheme around: what is most stands out most.
        u.ctx.fillStyle = interpolateOranges(1 - Math.sqrt(count / most));
        u.ctx.fillRect(Math.max(left, u.bbox.left), top + 1, Math.max(1, right - Math.max(left, u.bbox.left)), bottom - top - 1);
      })
    );
  });
  mark(config, marks);
  const legend = 30;
  return (
    <div>
      <UPlotChart data={[moments.map((at) => at * 1000), moments.map(() => null)]} width={width} height={height - legend} config={config} />
      <div style={{ display: 'flex', gap: 8, alignItems: 'center', height: legend, paddingLeft: 70, fontSize: 12 }}>
        1<div style={{ width: 200, height: 10, background: `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map((at) => interpolateOranges(1 - Math.sqrt(at))).join(', ')})` }} />
        {most} tasks
      </div>
    </div>
  );
}

const bound = (le: string) => (le === '+Inf' ? Infinity : Number(le));

interface BarProps {
  panel: any;
  frame: DataFrame;
  width: number;
  height: number;
  theme: GrafanaTheme2;
}

/** A bar for each row, in the order of the rows, coloured by the thresholds. */
export function Bars({ panel, frame, width, height, theme }: BarProps) {
  const names = frame.fields.find((each) => each.name === panel.options.xField)!;
  const values = frame.fields.find((each) => each.type === FieldType.number)!;
  const config = new UPlotConfigBuilder('utc');
  const count = frame.length;
  const top = Math.max(1, ...values.values) * 1.15;
  config.addScale({ scaleKey: 'x', orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right, range: () => [-0.5, count - 0.5] });
  config.addScale({ scaleKey: 'y', orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up, range: () => [0, top] });
  const rotation = panel.options.xTickLabelRotation;
  config.setPadding([null, rotation ? 50 : null, null, null] as never);
  config.addAxis({
    scaleKey: 'x', placement: AxisPlacement.Bottom, theme, grid: { show: false }, splits: names.values.map((_: unknown, i: number) => i),
    values: () => names.values.map((name: string) => (name.length > 24 ? `${name.slice(0, 24)}…` : name)),
    ...(rotation ? { tickLabelRotation: rotation, size: 90 } : {}),
  } as never);
  config.addAxis({ scaleKey: 'y', placement: AxisPlacement.Left, theme });
  config.addSeries({ scaleKey: 'y', theme, lineWidth: 0, show: true } as never);
  config.addHook('draw', (u: uPlot) => {
    const { ctx } = u;
    ctx.save();
    ctx.textAlign = 'center';
    ctx.font = `${12 * devicePixelRatio}px Inter`;
    values.values.forEach((value: number, i: number) => {
      const shown = values.display!(value);
      const [left, right] = [u.valToPos(i - 0.32, 'x', true), u.valToPos(i + 0.32, 'x', true)];
      const [y, base] = [u.valToPos(value, 'y', true), u.valToPos(0, 'y', true)];
      ctx.fillStyle = shown.color;
      ctx.fillRect(left, y, right - left, base - y);
      ctx.fillStyle = theme.colors.text.primary;
      ctx.fillText(formattedValueToString(shown), (left + right) / 2, y - 6 * devicePixelRatio);
    });
    ctx.restore();
  });
  const legend = 24;
  return (
    <div>
      <UPlotChart data={[names.values.map((_: unknown, i: number) => i), names.values.map(() => null)] as never} width={width} height={height - legend} config={config} />
      <div style={{ fontSize: 12, height: legend, paddingLeft: 12 }}>▬ {getFieldDisplayName(values, frame)}</div>
    </div>
  );
}
