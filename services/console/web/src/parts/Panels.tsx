// Metrics of a service: a card for each panel of the API's answer, with its last values as text and its course drawn.
import { Box, Card, Group, SimpleGrid, Skeleton, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { type Panel, panels } from "../api/client";
import { Loaded } from "./Failure";
import { amount } from "./unit";

const Chart = lazy(() => import("./Chart"));
// Told apart by those who see few colours, too (Okabe and Ito).
export const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

export function Panels({ tenant, service }: { tenant: string; service: string }) {
  const found = useQuery(panels(tenant, service));
  return (
    <Card withBorder component="section">
      <Title order={2} size="h4" mb="xs">
        Metrics
      </Title>
      <Loaded of={found}>
        {(data) =>
          data.kept ? (
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
              {data.panels.map((each) => (
                <Shown key={each.id} panel={each} start={Date.parse(data.start)} step={data.step_s} />
              ))}
            </SimpleGrid>
          ) : (
            <Text c="dimmed">None are kept: the platform's observability is off.</Text>
          )
        }
      </Loaded>
    </Card>
  );
}

function Shown({ panel, start, step }: { panel: Panel; start: number; step: number }) {
  return (
    <Box component="article" aria-label={panel.title}>
      <Title order={3} size="h5" title={panel.about}>
        {panel.title}
      </Title>
      {panel.lines.length === 0 ? (
        <Text size="sm" c="dimmed">
          Nothing yet.
        </Text>
      ) : (
        <>
          <Group gap="sm">
            {panel.lines.map((each, at) => (
              <Text key={each.name} size="xs">
                <Text span c={COLOURS[at % COLOURS.length]} aria-hidden>
                  ■{" "}
                </Text>
                {each.name} {amount(each.values.at(-1), panel.unit)}
              </Text>
            ))}
          </Group>
          <Suspense fallback={<Skeleton height={140} />}>
            <Chart panel={panel} start={start} step={step} />
          </Suspense>
        </>
      )}
    </Box>
  );
}
