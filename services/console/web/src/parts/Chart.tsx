// One panel's lines over time; loaded when a page has panels, as it is larger than all the rest.
import { useComputedColorScheme } from "@mantine/core";
import { LineChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { init, type EChartsType, use as register } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";
import type { Panel } from "../api/client";
import { COLOURS } from "./Panels";
import { amount } from "./unit";

register([LineChart, GridComponent, TooltipComponent, SVGRenderer]);

export default function Chart({ panel, start, step }: { panel: Panel; start: number; step: number }) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<EChartsType>(null);
  const dark = useComputedColorScheme("light") === "dark";

  useEffect(() => {
    const chart = init(place.current, dark ? "dark" : null, { renderer: "svg" });
    drawn.current = chart;
    const watch = new ResizeObserver(() => chart.resize());
    if (place.current) watch.observe(place.current);
    return () => {
      watch.disconnect();
      chart.dispose();
    };
  }, [dark]);

  useEffect(() => {
    drawn.current?.setOption(
      {
        animation: false,
        backgroundColor: "transparent",
        color: COLOURS,
        grid: { left: 4, right: 8, top: 8, bottom: 4, containLabel: true },
        xAxis: { type: "time", splitNumber: 3, axisLabel: { hideOverlap: true } },
        yAxis: { type: "value", splitNumber: 3, axisLabel: { formatter: (value: number) => amount(value, panel.unit) } },
        tooltip: { trigger: "axis", valueFormatter: (value: unknown) => amount(value as number | null, panel.unit) },
        series: panel.lines.map((each) => ({
          type: "line",
          name: each.name,
          showSymbol: false,
          lineStyle: { width: 1.5 },
          ...(panel.kind === "stack" ? { stack: panel.id, areaStyle: { opacity: 0.3 } } : {}),
          data: each.values.map((value, at) => [start + at * step * 1000, value]),
        })),
      },
      { notMerge: true },
    );
  }, [panel, start, step, dark]);

  return <div ref={place} style={{ height: 140 }} aria-hidden />;
}
