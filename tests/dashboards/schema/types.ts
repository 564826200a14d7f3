// What make-schema.sh turns into grafana.schema.json: Grafana's own types of a dashboard, and of the panels used here.
import type { Dashboard } from '@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as barchart from '@grafana/schema/dist/types/raw/composable/barchart/panelcfg/x/types.gen';
import type * as heatmap from '@grafana/schema/dist/types/raw/composable/heatmap/panelcfg/x/types.gen';
import type * as stat from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as table from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as timeseries from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

export interface Grafana {
  dashboard: Dashboard;
  barchart: { options: barchart.Options; custom: Partial<barchart.FieldConfig> };
  heatmap: { options: heatmap.Options; custom: Partial<heatmap.FieldConfig> };
  stat: { options: stat.Options; custom: {} };
  table: { options: table.Options; custom: Partial<table.FieldConfig> };
  timeseries: { options: timeseries.Options; custom: Partial<timeseries.FieldConfig> };
}
