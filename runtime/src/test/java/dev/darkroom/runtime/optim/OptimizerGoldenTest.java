package dev.darkroom.runtime.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.InScope;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Optimizers against PyTorch 2.13's, by the values that {@code tests/oracle/optim.py} made. */
@ExtendWith(InScope.class)
class OptimizerGoldenTest {
    private static final List<String> ALL = List.of("tall", "wide", "vector", "kernel");
    private static final int STEPS = 5;

    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private Safetensors golden;

    @BeforeEach
    void open() throws IOException {
        golden =
                Safetensors.open(
                        Path.of(System.getProperty("basedir", "."))
                                .resolve("../tests/oracle/optim.safetensors"),
                        LoadMode.MAPPED);
    }

    @AfterEach
    void close() throws IOException {
        parameters.values().forEach(Parameter::close);
        golden.close();
    }

    private Map<String, Parameter> start(Collection<String> keys) throws IOException {
        for (String key : keys) {
            Tensor value = golden.tensor("start." + key).copy().requiresGrad(true);
            parameters.put(key, Parameter.of(key, value));
        }
        return parameters;
    }

    private void setGradients(int step) throws IOException {
        for (var each : parameters.entrySet()) {
            each.getValue()
                    .value()
                    .setGrad(golden.tensor("grad." + step + "." + each.getKey()).copy());
        }
    }

    private void assertSteps(String name, Optimizer optimizer, double bound) throws IOException {
        for (int step = 0; step < STEPS; step++) {
            setGradients(step);
            optimizer.step(1);
            if (step == 0 || step == STEPS - 1) {
                for (var each : parameters.entrySet()) {
                    String key = name + "." + step + "." + each.getKey();
                    assertClose(key, each.getValue().value(), bound);
                }
            }
        }
    }

    private void assertClose(String key, Tensor actual, double bound) throws IOException {
        Tensor expected = golden.tensor(key).to(DType.FLOAT64);
        assertEquals(expected.shape(), actual.shape(), key);
        double difference =
                expected.minus(actual.detach().to(DType.FLOAT64)).abs().max().item()
                        / expected.abs().max().item();
        assertTrue(difference <= bound, () -> key + " differs by " + difference);
    }

    private ParameterGroup group(String name, double rate, double decay, String... keys) {
        var some = new LinkedHashMap<String, Parameter>();
        for (String key : keys) {
            some.put(key, parameters.get(key));
        }
        return new ParameterGroup(name, some, rate, decay);
    }

    private AdamW adamW() {
        return new AdamW(
                List.of(
                        group("matrices", 1e-2, 0.1, "tall", "wide"),
                        group("others", 3e-3, 0, "vector", "kernel")),
                new AdamW.Options(0.9, 0.95, 1e-8));
    }

    @Test
    void adamWWithTwoGroups() throws IOException {
        start(ALL);
        try (var optimizer = adamW()) {
            assertSteps("adamw", optimizer, 1e-6);
            for (var each : optimizer.state().entrySet()) {
                assertClose("adamw.state." + each.getKey(), each.getValue(), 1e-6);
            }
        }
    }

    @Test
    void adamWGoesOnFromItsState() throws IOException {
        start(ALL);
        var saved = new LinkedHashMap<String, Tensor>();
        try (var optimizer = adamW()) {
            for (int step = 0; step < 3; step++) {
                setGradients(step);
                optimizer.step(1);
            }
            optimizer.state().forEach((key, tensor) -> saved.put(key, tensor.copy()));
        }
        try (var optimizer = adamW()) {
            optimizer.load(saved);
            for (int step = 3; step < STEPS; step++) {
                setGradients(step);
                optimizer.step(1);
            }
            for (String key : ALL) {
                assertClose("adamw.4." + key, parameters.get(key).value(), 1e-6);
            }
        }
    }

    @Test
    void clipping() throws IOException {
        start(ALL);
        setGradients(0);
        double norm = GradientNorm.clip(parameters.values(), 1.5);
        assertArrayEquals(
                new double[] {golden.tensor("clip.norm").item()}, new double[] {norm}, 1e-5);
        for (String key : ALL) {
            assertClose("clip." + key, parameters.get(key).value().grad(), 1e-6);
        }
    }

    private void assertMuon(String name, Muon.Scale scale, DType iteration, double bound)
            throws IOException {
        start(List.of("tall", "wide", "kernel"));
        var group = new ParameterGroup("matrices", parameters, 2e-2, 0.1);
        var options = new Muon.Options(0.95, true, 5, scale, iteration);
        try (var optimizer = new Muon(List.of(group), options)) {
            assertSteps(name, optimizer, bound);
            if (golden.names().contains(name + ".state.tall")) {
                for (String key : parameters.keySet()) {
                    Tensor momentum = optimizer.state().get(key + ".momentum");
                    assertClose(name + ".state." + key, momentum, bound);
                }
            }
        }
    }

    @Test
    void muonScaledByTheRatio() throws IOException {
        assertMuon("muon_ratio", Muon.Scale.RATIO, DType.FLOAT32, 1e-6);
    }

    @Test
    void muonScaledAsAdamW() throws IOException {
        assertMuon("muon_rms", Muon.Scale.MATCH_RMS_ADAMW, DType.FLOAT32, 1e-6);
    }

    @Test
    void muonInBfloat16() throws IOException {
        assertMuon("muon_bf16", Muon.Scale.MATCH_RMS_ADAMW, DType.BFLOAT16, 1e-2);
    }

    @Test
    void average() throws IOException {
        start(ALL);
        try (var ema = new Ema(parameters, new Ema.Options(0.7, 0.75))) {
            for (int step = 0; step < STEPS; step++) {
                for (var each : parameters.entrySet()) {
                    Tensor gradient = golden.tensor("grad." + step + "." + each.getKey());
                    each.getValue().value().plusInPlace(gradient);
                }
                ema.update(step);
            }
            for (String key : ALL) {
                assertClose("ema." + key, ema.state().get(key), 1e-6);
            }
        }
    }
}
