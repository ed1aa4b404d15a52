package dev.darkroom.training.proof;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import java.util.List;

/** Distributions of points in the plane, of a standard deviation of about 1 in all. */
public enum Points {
    /** Two half circles that reach into each other. */
    MOONS {
        @Override
        Tensor draw(int count, Generator generator) {
            Tensor angle = uniform(count, generator).times(Math.PI);
            Tensor side = which(2, count, generator).times(2).minus(1); // −1 or 1
            Tensor moon = polar(angle).minus(Tensor.copyOf(new float[] {0.5f, 0.25f}, 1, 2));
            return spread(moon.times(side.unsqueeze(1)).times(1.4), WIDTH, generator);
        }
    },

    /** Two rings around the origin. */
    RINGS {
        @Override
        Tensor draw(int count, Generator generator) {
            Tensor angle = uniform(count, generator).times(2 * Math.PI);
            Tensor radius = which(2, count, generator).plus(0.8); // 0.8 or 1.8
            return spread(polar(angle).times(radius.unsqueeze(1)), WIDTH, generator);
        }
    };

    private static final double WIDTH = 0.06;

    /** Points {@code [count,2]}. */
    abstract Tensor draw(int count, Generator generator);

    private static Tensor uniform(int count, Generator generator) {
        return Tensor.rand(Shape.of(count), generator, DType.FLOAT32, Device.CPU);
    }

    private static Tensor which(int of, int count, Generator generator) {
        return Tensor.randint(0, of, Shape.of(count), generator, DType.INT64).to(DType.FLOAT32);
    }

    /** {@code [N]} to points on the unit circle {@code [N,2]}. */
    private static Tensor polar(Tensor angle) {
        return Ops.stack(1, List.of(angle.cos(), angle.sin()));
    }

    private static Tensor spread(Tensor points, double width, Generator generator) {
        return points.plus(Tensor.randn(generator, points.size(0), 2), width);
    }

    /** The energy distance of two samples (Székely and Rizzo 2013), squared. */
    public static double energyDistance(Tensor a, Tensor b) {
        return 2 * between(a, b).mean().item()
                - between(a, a).mean().item()
                - between(b, b).mean().item();
    }

    /** Distances of each to each: {@code [N,D]} and {@code [M,D]} to {@code [N,M]}. */
    private static Tensor between(Tensor a, Tensor b) {
        return a.unsqueeze(1).minus(b.unsqueeze(0)).norm(false, 2);
    }
}
