// One service: metrics, revisions and traffic, instances, why it scaled, and what it cost.
import { Alert, Card, Group, Progress, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { service, type ServiceDetail } from "../api/client";
import { Loaded } from "../parts/Failure";
import { moment, money } from "../parts/form";
import { Panels } from "../parts/Panels";
import { State } from "../parts/State";

export function ServicePage() {
  const { tenant, service: name } = useParams({ from: "/tenants/$tenant/services/$service" });
  const found = useQuery(service(tenant, name));
  return (
    <Loaded of={found}>
      {(data) => (
        <Detail data={data}>
          <Panels tenant={tenant} service={name} />
        </Detail>
      )}
    </Loaded>
  );
}

function Detail({ data, children }: { data: ServiceDetail; children: ReactNode }) {
  const { service: shown } = data;
  return (
    <Stack>
      <Group>
        <Title order={1} size="h2">
          {shown.name}
        </Title>
        <State state={shown.state} />
      </Group>
      <Text c="dimmed">{shown.hosts.join(", ")}</Text>
      {shown.reason && <Alert color="red">{shown.reason}</Alert>}
      {data.shift_remaining_s !== null && (
        <Alert color="blue">Traffic moves for another {data.shift_remaining_s} s.</Alert>
      )}
      {children}
      <Section title="Revisions and traffic" head={["Revision", "Traffic", "Instances", "Restarts"]} empty="None is kept.">
        {data.revisions.map((each) => (
          <Table.Tr key={each.name}>
            <Table.Td>
              {each.name}
              {each.reason && (
                <Text size="xs" c="red">
                  {each.reason}
                </Text>
              )}
            </Table.Td>
            <Table.Td miw={120}>
              {each.percent} %{each.goal_percent !== each.percent && ` → ${each.goal_percent} %`}
              <Progress value={each.percent} size="sm" aria-label={`Traffic of ${each.name}`} />
            </Table.Td>
            <Table.Td>{each.asleep ? "asleep" : `${each.ready} of ${each.desired}`}</Table.Td>
            <Table.Td>{each.restarts}</Table.Td>
          </Table.Tr>
        ))}
      </Section>
      <Section title="Instances" head={["Instance", "Revision", "State", "Why"]} empty="None runs now.">
        {data.instances.map((each) => (
          <Table.Tr key={each.id}>
            <Table.Td>{each.id}</Table.Td>
            <Table.Td>{each.revision}</Table.Td>
            <Table.Td>
              <State state={each.state} />
            </Table.Td>
            <Table.Td>{each.reason}</Table.Td>
          </Table.Tr>
        ))}
      </Section>
      <Section title="Why it scaled" head={["When", "Revision", "Instances", "Why"]} empty="Nothing has changed its count.">
        {data.decisions.map((each) => (
          <Table.Tr key={`${each.at} ${each.revision}`}>
            <Table.Td>{moment(each.at)}</Table.Td>
            <Table.Td>{each.revision}</Table.Td>
            <Table.Td>
              {each.before} → {each.count}
            </Table.Td>
            <Table.Td>{each.reason}</Table.Td>
          </Table.Tr>
        ))}
      </Section>
      <Section title="Cost by day, at list prices" head={["Day", "Amount"]} empty="The ledger has none yet.">
        {[...data.costs].reverse().map((each) => (
          <Table.Tr key={each.day}>
            <Table.Td>{each.day}</Table.Td>
            <Table.Td>{money(each.amount, shown.currency)}</Table.Td>
          </Table.Tr>
        ))}
      </Section>
    </Stack>
  );
}

/** A titled table, or what is said where it has no rows. */
export function Section(props: { title: string; head: string[]; empty: string; children: ReactNode[] }) {
  return (
    <Card withBorder component="section">
      <Title order={2} size="h4" mb="xs">
        {props.title}
      </Title>
      {props.children.length === 0 ? (
        <Text c="dimmed">{props.empty}</Text>
      ) : (
        // In the order of the keyboard, by which it scrolls.
        <Table.ScrollContainer minWidth={420} type="native" role="region" aria-label={props.title} tabIndex={0}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                {props.head.map((each) => (
                  <Table.Th key={each}>{each}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>{props.children}</Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Card>
  );
}
