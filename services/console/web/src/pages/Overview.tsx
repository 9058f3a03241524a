// The services of a tenant, what is wrong first.
import { Anchor, Card, Group, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type Service, services } from "../api/client";
import { Loaded } from "../parts/Failure";
import { money } from "../parts/form";
import { State } from "../parts/State";

export function Overview() {
  const { tenant } = useParams({ from: "/tenants/$tenant/" });
  const found = useQuery(services(tenant));
  return (
    <Stack>
      <Title order={1} size="h2">
        Services
      </Title>
      <Loaded of={found}>
        {(data) =>
          data.services.length === 0 ? (
            <Text>There is no service yet. One that a manifest of this tenant declares is shown here after the next update.</Text>
          ) : (
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
              {data.services.map((each) => (
                <Row key={each.name} tenant={tenant} service={each} />
              ))}
            </SimpleGrid>
          )
        }
      </Loaded>
    </Stack>
  );
}

function Row({ tenant, service }: { tenant: string; service: Service }) {
  return (
    <Card withBorder component="article" aria-label={service.name}>
      <Group justify="space-between" wrap="nowrap">
        <Anchor
          fw={600}
          truncate
          renderRoot={(props) => (
            <Link to="/tenants/$tenant/services/$service" params={{ tenant, service: service.name }} {...props} />
          )}
        >
          {service.name}
        </Anchor>
        <State state={service.state} />
      </Group>
      <Text size="sm" c="dimmed" truncate>
        {service.hosts.join(", ")}
      </Text>
      {service.reason && (
        <Text size="sm" c="red" lineClamp={2}>
          {service.reason}
        </Text>
      )}
      <Group justify="space-between" mt="sm">
        <Text size="sm">
          {service.state === "asleep" ? "no instances" : `${service.ready} of ${service.desired} instances`}
        </Text>
        <Text size="sm">{money(service.cost, service.currency)} this month</Text>
      </Group>
      <Text size="sm" c="dimmed">
        {service.traffic
          .filter((each) => each.percent > 0)
          .map((each) => `${each.percent} % ${each.revision}`)
          .join(", ")}
      </Text>
    </Card>
  );
}
