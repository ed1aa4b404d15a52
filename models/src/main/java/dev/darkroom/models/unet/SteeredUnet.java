package dev.darkroom.models.unet;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.ConditionedNetwork;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.models.family.ControlNets;
import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * A U-Net with ControlNets, whose residuals are added up.
 *
 * @param nets that {@linkplain ControlNetConfig#misfits fit} it
 */
public record SteeredUnet(Unet unet, List<ControlNet> nets) implements ControlNets {
    public SteeredUnet {
        Objects.requireNonNull(unet, "unet");
        nets = List.copyOf(nets);
    }

    @Override
    public ConditionedNetwork steered(List<Control> controls) {
        if (controls.size() != nets.size()) {
            throw new IllegalArgumentException(
                    nets.size() + " ControlNets are not steered by " + controls.size());
        }
        List<Steering> all = new ArrayList<>();
        for (int i = 0; i < nets.size(); i++) {
            Control control = controls.get(i);
            all.add(new Steering(nets.get(i), control, nets.get(i).embed(control.picture())));
        }
        return new ConditionedNetwork() {
            @Override
            public Network bind(Condition condition) {
                return unet.bind(condition, BlockRun.PLAIN, residuals(all, condition));
            }

            @Override
            public Network bind(Condition condition, Perturbation perturbation) {
                BlockRun run = BlockRun.of(perturbation, unet);
                return unet.bind(condition, run, residuals(all, condition));
            }
        };
    }

    private static Residuals residuals(List<Steering> all, Condition condition) {
        List<Residuals> each = all.stream().map(one -> one.bound(condition)).toList();
        return (made, latents, timesteps) -> {
            Features sum = made;
            for (Residuals residuals : each) {
                sum = residuals.addTo(sum, latents, timesteps);
            }
            return sum;
        };
    }

    /**
     * One net in a run.
     *
     * @param embedded the picture, as the net sees it {@code [1,C,h,w]}
     */
    private record Steering(ControlNet net, Control control, Tensor embedded) {
        Residuals bound(Condition condition) {
            boolean alone = control.guess() || net.config().isPooled();
            UnetConfig path = net.config().path();
            UnetCondition bound = UnetCondition.of(condition, path, net);
            AttendedText text = AttendedText.of(bound.text(), path).projectedFor(net);
            Tensor rows = // [N,1,1,1], 1 for those that the net acts on
                    alone
                            ? condition
                                    .get(Condition.CONTROLLED)
                                    .to(net.dtype())
                                    .to(net.device())
                                    .reshape(-1, 1, 1, 1)
                            : null;
            return (made, latents, timesteps) -> {
                double scale = control.scale().getAsDouble();
                if (scale == 0) {
                    return made;
                }
                try (var scope = TensorScope.open()) {
                    Features residuals = net.forward(latents, timesteps, bound, text, embedded);
                    return made.plus(scaled(residuals, scale, rows)).keptBy(scope);
                }
            };
        }

        private Features scaled(Features residuals, double scale, @Nullable Tensor rows) {
            boolean pooled = net.config().isPooled();
            Features scaled = residuals.times(scale, control.guess() && !pooled);
            Features averaged = pooled ? scaled.map(x -> x.mean(true, 2, 3)) : scaled;
            return rows == null ? averaged : averaged.map(x -> x.times(rows));
        }
    }
}
