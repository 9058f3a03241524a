// The frame around every page of a tenant: where one is, where one can go, and the way out.
import { AppShell, Burger, Button, Container, Group, Menu, NavLink, Select, Text, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useParams, useRouteContext } from "@tanstack/react-router";
import { api, queries, told } from "../api/client";

export function Shell() {
  const { who } = useRouteContext({ from: "/tenants/$tenant" });
  const { tenant } = useParams({ from: "/tenants/$tenant" });
  const navigate = useNavigate();
  const [opened, { toggle, close }] = useDisclosure();
  const role = who.tenants.find((each) => each.tenant === tenant)?.role;
  const pages = [
    { to: "/tenants/$tenant", label: "Services", seen: true },
    { to: "/tenants/$tenant/invoices", label: "Invoices", seen: role === "owner" || role === "billing" },
    { to: "/tenants/$tenant/audit", label: "Audit", seen: role === "owner" },
  ] as const;
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 200, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding="md"
    >
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Pages" />
            <Text fw={700} component={Link} to="/" c="inherit">
              Runyard
            </Text>
            <Select
              aria-label="Tenant"
              size="xs"
              w={120}
              allowDeselect={false}
              data={who.tenants.map((each) => each.tenant)}
              value={tenant}
              onChange={(chosen) => chosen && navigate({ to: "/tenants/$tenant", params: { tenant: chosen } })}
            />
          </Group>
          <Account email={who.email} />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        {pages
          .filter((each) => each.seen)
          .map((each) => (
            <NavLink
              key={each.to}
              label={each.label}
              renderRoot={(props) => (
                <Link to={each.to} params={{ tenant }} activeOptions={{ exact: true }} onClick={close} {...props} />
              )}
            />
          ))}
      </AppShell.Navbar>
      <AppShell.Main>
        <Container size="lg" px={0}>
          <Outlet />
        </Container>
      </AppShell.Main>
    </AppShell>
  );
}

function Account({ email }: { email: string }) {
  const navigate = useNavigate();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const out = useMutation({
    mutationFn: (everywhere: boolean) =>
      told(everywhere ? api.DELETE("/api/v1/sessions") : api.DELETE("/api/v1/session")),
    onSettled: async () => {
      queries.clear();
      await navigate({ to: "/sign-in" });
    },
  });
  return (
    <Menu position="bottom-end" withinPortal={false} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <Button variant="subtle" size="xs" px="xs" aria-label={`Account of ${email}`}>
          <Text span size="xs" truncate maw={{ base: 90, sm: 260 }}>
            {email}
          </Text>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => setColorScheme(colorScheme === "dark" ? "light" : "dark")}>Light or dark</Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={() => out.mutate(false)}>Sign out</Menu.Item>
        <Menu.Item onClick={() => out.mutate(true)}>Sign out everywhere</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
