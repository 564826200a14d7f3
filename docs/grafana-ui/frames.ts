// From Prometheus' answers to data frames, as Grafana's data source does it, and through the panel's own settings.
import {
  applyFieldOverrides,
  type DataFrame,
  type Field,
  FieldConfigOptionsRegistry,
  FieldType,
  getFieldDisplayName,
  type GrafanaTheme2,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

export interface Answer {
  refId: string;
  format: string;
  legend: string;
  step: number;
  result: Array<{ metric: Record<string, string>; value?: [number, string]; values?: Array<[number, string]> }>;
}

const property = (id: string) => ({
  id,
  path: id.replace(/^custom\./, ''),
  name: id,
  isCustom: id.startsWith('custom.'),
  settings: {},
  editor: () => null,
  override: () => null,
  process: (value: unknown) => value,
  shouldApply: () => true,
});

const STANDARD = ['displayName', 'unit', 'min', 'max', 'decimals', 'thresholds', 'mappings', 'color', 'links', 'noValue'];
const CUSTOM = [
  'fillOpacity', 'lineWidth', 'lineStyle', 'axisPlacement', 'axisColorMode', 'showPoints', 'stacking', 'width',
  'cellOptions', 'align', 'inspect', 'gradientMode', 'hideFrom',
].map((name) => `custom.${name}`);

standardFieldConfigEditorRegistry.setInit(() => STANDARD.map(property) as never);
const transformers = ['mergeTransformer', 'organizeFieldsTransformer', 'sortByTransformer', 'filterFieldsByNameTransformer',
  'filterFieldsTransformer', 'orderFieldsTransformer', 'renameFieldsTransformer'] as const;
standardTransformersRegistry.setInit(() =>
  transformers.map((name) => standardTransformers[name]).map((t) => ({
    id: t.id, name: t.name, editor: (() => null) as never, transformation: async () => t, imageDark: '', imageLight: '',
  })) as never
);

const named = (legend: string, labels: Record<string, string>) =>
  legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '').trim();

const value = (text: string) => (text === 'NaN' ? null : Number(text));

function series(answer: Answer): DataFrame[] {
  return answer.result.map((row) => ({
    refId: answer.refId,
    name: named(answer.legend, row.metric),
    length: row.values!.length,
    fields: [
      field('Time', FieldType.time, row.values!.map(([at]) => at * 1000), { interval: answer.step * 1000 }),
      {
        ...field('Value', FieldType.number, row.values!.map(([, text]) => value(text)), {
          displayNameFromDS: named(answer.legend, row.metric),
        }),
        labels: row.metric,
      },
    ],
  }));
}

function table(answer: Answer, several: boolean): DataFrame {
  const labels = [...new Set(answer.result.flatMap((row) => Object.keys(row.metric)))].sort();
  return {
    refId: answer.refId,
    length: answer.result.length,
    fields: [
      field('Time', FieldType.time, answer.result.map((row) => row.value![0] * 1000)),
      ...labels.map((label) => field(label, FieldType.string, answer.result.map((row) => row.metric[label] ?? ''))),
      field(several ? `Value #${answer.refId}` : 'Value', FieldType.number, answer.result.map((row) => value(row.value![1]))),
    ],
  };
}

function field(name: string, type: FieldType, values: unknown[], config = {}): Field {
  return { name, type, values, config: { ...config } } as Field;
}

export async function frames(panel: any, answers: Answer[], theme: GrafanaTheme2): Promise<DataFrame[]> {
  const raw = answers.flatMap((answer) =>
    answer.format === 'table' ? [table(answer, answers.length > 1)] : series(answer)
  );
  const changed = await lastValueFrom(
    transformDataFrame(panel.transformations ?? [], raw, { interpolate: (text: string) => text } as never)
  );
  const registry = new FieldConfigOptionsRegistry(() => [...STANDARD, ...CUSTOM].map(property) as never);
  const found = applyFieldOverrides({
    data: changed,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: registry,
    replaceVariables: (text) => text ?? '',
    theme,
    timeZone: 'utc',
  });
  for (const frame of found) {
    for (const field of frame.fields) {
      field.state = { ...field.state, displayName: undefined };
      field.state.displayName = getFieldDisplayName(field, frame, found);
    }
  }
  return found;
}
