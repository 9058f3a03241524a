// What was done and what was refused in a tenant, from new to old.
import { Button, Group, Stack, Table, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { audit } from "../api/client";
import { Loaded } from "../parts/Failure";
import { moment } from "../parts/form";
import { Section } from "./ServicePage";

export function Audit() {
  const { tenant } = useParams({ from: "/tenants/$tenant/audit" });
  const [before, setBefore] = useState<number | null>(null);
  const found = useQuery(audit(tenant, before));
  return (
    <Stack>
      <Title order={1} size="h2">
        Audit
      </Title>
      <Loaded of={found}>
        {(data) => (
          <>
            <Section title="Newest first" head={["When", "Who", "What", "Outcome", "Detail"]} empty="Nothing yet.">
              {data.entries.map((each) => (
                <Table.Tr key={each.number}>
                  <Table.Td>{moment(each.at)}</Table.Td>
                  <Table.Td>{each.email}</Table.Td>
                  <Table.Td>{each.action}</Table.Td>
                  <Table.Td>{each.outcome}</Table.Td>
                  <Table.Td>{each.detail}</Table.Td>
                </Table.Tr>
              ))}
            </Section>
            <Group>
              <Button variant="default" disabled={before === null} onClick={() => setBefore(null)}>
                Newest
              </Button>
              <Button variant="default" disabled={data.next === null} onClick={() => setBefore(data.next)}>
                Older
              </Button>
            </Group>
          </>
        )}
      </Loaded>
    </Stack>
  );
}
