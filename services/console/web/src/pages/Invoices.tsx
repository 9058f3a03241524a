// What a month costs: its invoice and notes, or a draft while it runs.
import { Group, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams, useRouteContext } from "@tanstack/react-router";
import { useState } from "react";
import { Refused, statement } from "../api/client";
import { Loaded } from "../parts/Failure";
import { money } from "../parts/form";
import { Section } from "./ServicePage";

const KINDS: Record<string, string> = { invoice: "Invoice", credit_note: "Credit note", debit_note: "Debit note" };

/** A bill as the ledger tells it (runyard/contracts/invoice.py). */
interface Bill {
  kind: string;
  number: number;
  net: string;
  tax: string;
  total: string;
  lines: { position: number; service: string; item: string; start: string; end: string; amount: string }[];
}

export function Invoices() {
  const { tenant } = useParams({ from: "/tenants/$tenant/invoices" });
  const { who } = useRouteContext({ from: "/tenants/$tenant" });
  const [month, setMonth] = useState(() => new Date().toISOString().slice(0, 7));
  const found = useQuery(statement(tenant, month));
  // Of a tenant of one's own the ledger has not heard yet; any other is not told of either.
  const uncounted =
    found.error instanceof Refused && found.error.status === 404 && who.tenants.some((each) => each.tenant === tenant);
  return (
    <Stack>
      <Group justify="space-between" align="end">
        <Title order={1} size="h2">
          Invoices
        </Title>
        <TextInput
          label="Month"
          type="month"
          value={month}
          onChange={(event) => event.currentTarget.value && setMonth(event.currentTarget.value)}
        />
      </Group>
      {uncounted ? (
        <Text>Nothing is counted of this tenant yet. What its services use is here some minutes later.</Text>
      ) : (
        <Loaded of={found}>
          {(data) => (
            <>
              {(data.bills as unknown as Bill[]).map((bill) => (
                <Section
                  key={bill.number}
                  title={bill.number ? `${KINDS[bill.kind] ?? bill.kind} ${bill.number}` : "Draft, not issued yet"}
                  head={["Service", "What", "Days", "Amount"]}
                  empty="Nothing is charged."
                >
                  {bill.lines.map((line) => (
                    <Table.Tr key={line.position}>
                      <Table.Td>{line.service}</Table.Td>
                      <Table.Td>{line.item}</Table.Td>
                      <Table.Td>
                        {line.start} to {line.end}
                      </Table.Td>
                      <Table.Td>{money(line.amount, data.currency)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Section>
              ))}
              <Text fw={600}>In all {money(data.total, data.currency)}</Text>
            </>
          )}
        </Loaded>
      )}
    </Stack>
  );
}
