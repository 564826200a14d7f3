// A dashboard of Grafana's UI components. What Grafana keeps to itself (where panels go, the heat map, the bar chart,
// annotations) is drawn here, with the plot that those components use.
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import { createTheme, type DataFrame, dateTime, ThemeContext } from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, TimeSeries } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

import { type Answer, frames } from './frames';
import { Bars, mark, Plume } from './plots';

interface Page {
  title: string;
  chosen: Array<[string, string]>;
  links: string[];
  from: number;
  to: number;
  width: number;
  marks: Array<{ time: number; text: string }>;
  panels: Array<{ panel: any; answers: Answer[] }>;
}

const CELL = 38;
const GAP = 8;

function Panel({ panel, answers, page }: { panel: any; answers: Answer[]; page: Page }) {
  const theme = createTheme({ colors: { mode: 'dark' } });
  const [data, setData] = useState<DataFrame[] | null>(null);
  useEffect(() => void frames(panel, answers, theme).then(setData), []);
  const place = panel.gridPos;
  const column = page.width / 24;
  const [width, height] = [place.w * column - GAP, place.h * CELL - GAP];
  const box = { position: 'absolute', left: place.x * column + GAP / 2, top: 96 + place.y * CELL, width, height } as const;
  if (panel.type === 'row') {
    return <div style={{ ...box, fontWeight: 500, fontSize: 16, lineHeight: '30px' }}>⌄ {panel.title}</div>;
  }
  return (
    <div style={box} className="panel" data-title={panel.title}>
      <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
        {(w, h) => (data ? draw(panel, data, answers, w, h, page, theme) : <span />)}
      </PanelChrome>
    </div>
  );
}

function draw(panel: any, data: DataFrame[], answers: Answer[], width: number, height: number, page: Page, theme: any) {
  const range = { from: dateTime(page.from), to: dateTime(page.to), raw: { from: 'now-1d', to: 'now' } };
  if (!answers.some((answer) => answer.result.length)) {
    const text = panel.fieldConfig.defaults.noValue ?? 'No data';
    return <div className="empty" style={{ display: 'grid', placeItems: 'center', width, height }}>{text}</div>;
  }
  switch (panel.type) {
    case 'timeseries':
      return (
        <TimeSeries frames={data} width={width} height={height} timeRange={range} timeZone="utc" legend={panel.options.legend}>
          {(config) => {
            mark(config, page.marks);
            return null;
          }}
        </TimeSeries>
      );
    case 'stat': {
      const [time, field] = data[0].fields;
      const last = field.values.filter((each: unknown) => each !== null).at(-1);
      return (
        <BigValue
          value={field.display!(last)} width={width} height={height} theme={theme}
          colorMode={panel.options.colorMode} graphMode={panel.options.graphMode} justifyMode={panel.options.justifyMode}
          sparkline={panel.options.graphMode === 'none' ? undefined : { y: field, x: time }}
        />
      );
    }
    case 'table': {
      const [frame] = data;
      return (
        <TableNG
          data={frame} width={width} height={height} cellHeight={panel.options.cellHeight}
          initialSortBy={panel.options.sortBy} enableVirtualization={false}
        />
      );
    }
    case 'barchart':
      return <Bars panel={panel} frame={data[0]} width={width} height={height} theme={theme} />;
    default:
      return <Plume answer={answers[0]} width={width} height={height} range={range} marks={page.marks} theme={theme} />;
  }
}

function Dashboard({ page }: { page: Page }) {
  const height = 110 + CELL * Math.max(...page.panels.map(({ panel }) => panel.gridPos.y + panel.gridPos.h));
  const theme = createTheme({ colors: { mode: 'dark' } });
  const pill = { background: theme.colors.background.secondary, border: `1px solid ${theme.colors.border.weak}`, padding: '4px 10px' };
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div id="dashboard" style={{ position: 'relative', width: page.width, height, background: theme.colors.background.canvas, color: theme.colors.text.primary, fontFamily: 'Inter' }}>
        <div style={{ padding: '12px 12px 0', fontSize: 20, fontWeight: 500 }}>
          {page.title}
          <span style={{ float: 'right', fontSize: 13 }}>
            {page.links.map((text) => <span key={text} style={{ ...pill, marginLeft: 8 }}>{text}</span>)}
          </span>
        </div>
        <div style={{ padding: 12, fontSize: 13, display: 'flex', gap: 8 }}>
          {page.chosen.map(([name, value]) => (
            <span key={name} style={pill}><b style={{ fontWeight: 500, opacity: 0.7 }}>{name}</b>&nbsp; {value}</span>
          ))}
        </div>
        {page.panels.map(({ panel, answers }) => <Panel key={panel.id} panel={panel} answers={answers} page={page} />)}
      </div>
    </ThemeContext.Provider>
  );
}

const page: Page = await (await fetch('./page.json')).json();
createRoot(document.getElementById('root')!).render(<Dashboard page={page} />);
