package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;

class ZeroCopyTest {
    @Test
    void borrowedMemoryIsShared() {
        try (Arena arena = Arena.ofConfined();
                var scope = TensorScope.open()) {
            MemorySegment memory = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 2, 3, 4);
            Tensor x = Tensor.borrow(memory, DType.FLOAT32, Shape.of(2, 2));
            assertEquals(memory.address(), x.dataPointer());
            x.timesInPlace(10);
            assertEquals(40, memory.getAtIndex(ValueLayout.JAVA_FLOAT, 3));
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, 0, -5);
            assertArrayEquals(new float[] {-5, 20, 30, 40}, x.toFloatArray());
            Tensor empty = x.narrow(0, 1, 0);
            assertEquals(0, empty.toFloatArray().length);
            assertEquals(0, empty.segment().byteSize());
        }
    }

    @Test
    void segmentIsTheTensorsMemory() {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.zeros(DType.FLOAT32, 2, 3);
            MemorySegment memory = x.segment();
            assertEquals(x.dataPointer(), memory.address());
            assertEquals(24, memory.byteSize());
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, 5, 7);
            assertEquals(7, x.select(0, 1).select(0, 2).item());
            assertThrows(IllegalStateException.class, () -> x.transpose(0, 1).segment());
        }
    }

    @Test
    void viewsShareAndCopiesDoNot() {
        try (var scope = TensorScope.open()) {
            float[] values = {1, 2, 3, 4};
            Tensor x = Tensor.copyOf(values, 4);
            Tensor second = x.narrow(0, 1, 2);
            assertEquals(x.dataPointer() + 4, second.dataPointer());
            assertEquals(x.storagePointer(), second.storagePointer());
            assertNotEquals(x.storagePointer(), x.copy().storagePointer());
            assertEquals(x.storagePointer(), x.contiguous().storagePointer());
        }
    }

    @Test
    void dlpackGoesRoundWithoutCopying() {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.copyOf(new float[] {1, 2, 3, 4, 5, 6}, 2, 3).transpose(0, 1);
            Tensor back = Tensor.fromDlpack(x.toDlpack());
            assertEquals(x.dataPointer(), back.dataPointer());
            assertEquals(x.shape(), back.shape());
            assertArrayEquals(x.strides(), back.strides());
            back.fillInPlace(9);
            assertEquals(54, x.sum().item());
            Tensor.freeDlpack(x.toDlpack());
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void memoryThatCannotBeSharedIsRefused() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(16, 8);
            Shape three = Shape.of(3);
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Tensor.borrow(memory, DType.FLOAT32, three));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Tensor.borrow(memory.asSlice(1, 12), DType.FLOAT32, three));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Tensor.borrow(MemorySegment.ofArray(new float[3]), DType.FLOAT32, three));
        }
    }

    @Test
    void noJniLibraryIsLoaded() throws IOException {
        Path maps = Path.of("/proc/self/maps");
        assumeTrue(Files.exists(maps), "only Linux lists its mappings");
        assertTrue(Device.Type.CPU.count() == 1);
        String text = Files.readString(maps);
        assertTrue(text.contains("libtorch_cpu"), "libtorch is not mapped");
        assertTrue(!text.contains("libjni"), "a JNI library is mapped");
    }

    @Test
    void liveBytesFollowAllocations() {
        try (var scope = TensorScope.open()) {
            long before = Memory.liveBytes();
            Memory.resetPeak(Device.CPU);
            Tensor.zeros(DType.FLOAT32, 1 << 20).close();
            Tensor big = Tensor.zeros(DType.FLOAT32, 1 << 18);
            long grown = Memory.liveBytes() - before;
            assertTrue(grown >= 1 << 20 && grown < (1 << 20) + 65536, "grew by " + grown);
            assertTrue(Memory.stats(Device.CPU).peak() >= before + (4 << 20));
            Tensor view = big.narrow(0, 0, 10);
            big.close();
            assertTrue(Memory.liveBytes() - before >= 1 << 20, "the view holds the memory");
            view.close();
            assertTrue(Memory.liveBytes() - before < 65536);
        }
    }
}
