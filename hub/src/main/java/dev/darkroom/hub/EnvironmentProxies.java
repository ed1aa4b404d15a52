package dev.darkroom.hub;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Proxies by the environment's variables, where Java's own settings ({@code -Dhttps.proxyHost})
 * name none.
 */
final class EnvironmentProxies extends ProxySelector {
    private static final List<Proxy> DIRECT = List.of(Proxy.NO_PROXY);

    private final Map<String, String> variables;
    private final @Nullable ProxySelector javas;

    private EnvironmentProxies(Map<String, String> variables, @Nullable ProxySelector javas) {
        this.variables = variables;
        this.javas = javas;
    }

    static ProxySelector of(Map<String, String> variables) {
        return new EnvironmentProxies(Map.copyOf(variables), ProxySelector.getDefault());
    }

    /**
     * The proxy of an address.
     *
     * @throws IllegalArgumentException if the variable holds no address of one
     */
    @Override
    public List<Proxy> select(URI address) {
        if (javas != null) {
            List<Proxy> chosen = javas.select(address);
            if (!chosen.isEmpty() && chosen.getFirst().type() != Proxy.Type.DIRECT) {
                return chosen;
            }
        }
        String host = address.getHost();
        Proxy proxy = proxy(String.valueOf(address.getScheme()).toLowerCase(Locale.ROOT));
        return host == null || proxy == null || isExcepted(host, address.getPort())
                ? DIRECT
                : List.of(proxy);
    }

    @Override
    public void connectFailed(URI address, SocketAddress proxy, IOException e) {
        // The client reports it.
    }

    private @Nullable Proxy proxy(String scheme) {
        String value = variable(scheme + "_proxy");
        if (value == null) {
            value = variable("all_proxy");
        }
        if (value == null) {
            return null;
        }
        var address = URI.create(value.contains("://") ? value : "http://" + value);
        if (!"http".equalsIgnoreCase(address.getScheme())
                || address.getHost() == null
                || address.getUserInfo() != null) {
            throw new IllegalArgumentException(
                    scheme.toUpperCase(Locale.ROOT)
                            + "_PROXY or ALL_PROXY is an address such as http://proxy:3128, without"
                            + " a password");
        }
        int port = address.getPort() < 0 ? 80 : address.getPort();
        return new Proxy(Proxy.Type.HTTP, new InetSocketAddress(address.getHost(), port));
    }

    private boolean isExcepted(String host, int port) {
        if (host.equals("localhost") || host.startsWith("127.") || host.equals("[::1]")) {
            return true; // as Java has it by itself
        }
        String excepted = variable("no_proxy");
        if (excepted == null) {
            return false;
        }
        String name = host.toLowerCase(Locale.ROOT);
        for (String entry : excepted.toLowerCase(Locale.ROOT).split("[,\\s]+", -1)) {
            String bare = entry.startsWith("*.") ? entry.substring(1) : entry;
            String suffix = bare.startsWith(".") ? bare : "." + bare;
            if (entry.equals("*")
                    || name.equals(suffix.substring(1))
                    || (name + ":" + port).equals(bare)
                    || (!bare.isEmpty() && name.endsWith(suffix))) {
                return true;
            }
        }
        return false;
    }

    /** In small letters or capitals; small ones go first, as in curl. */
    private @Nullable String variable(String name) {
        String value = variables.get(name);
        if (value == null || value.isBlank()) {
            value = variables.get(name.toUpperCase(Locale.ROOT));
        }
        return value == null || value.isBlank() ? null : value.strip();
    }
}
