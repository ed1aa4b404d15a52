package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.common.ByteSize;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

class MemoryBudgetTest {
    private static final long MIB = 1 << 20;

    @TempDir Path machine;

    @BeforeEach
    void memory() throws IOException {
        write("proc/meminfo", "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    4096 kB\n");
    }

    @AfterEach
    void clear() {
        System.clearProperty(MemoryBudget.PROPERTY);
    }

    private void write(String file, String text) throws IOException {
        var path = machine.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }

    private MemoryBudget budget() {
        return MemoryBudget.linux(machine.resolve("proc"), machine.resolve("cgroup")).orElseThrow();
    }

    @Test
    void isWhatLinuxSaysIsAvailable() {
        assertEquals(new MemoryBudget(4 * MIB, "MemAvailable"), budget());
    }

    @Test
    void isAbsentWithoutLinux() {
        assertEquals(
                Optional.empty(),
                MemoryBudget.linux(machine.resolve("no"), machine.resolve("cgroup")));
    }

    @Test
    void cgroup2LeavesItsLimitLessWhatIsUsed() throws IOException {
        write("proc/self/cgroup", "0::/a/b\n");
        write("cgroup/a/b/memory.max", "3145728\n");
        write("cgroup/a/b/memory.current", "2097152\n");
        write("cgroup/a/b/memory.stat", "anon 1048576\ninactive_file 524288\n");
        assertEquals(new MemoryBudget(MIB + MIB / 2, "cgroup limit"), budget());
    }

    @Test
    void enclosingCgroupsCountAndNoLimitIsNone() throws IOException {
        write("proc/self/cgroup", "0::/a/b\n");
        write("cgroup/a/b/memory.max", "max\n");
        write("cgroup/a/b/memory.current", "1\n");
        write("cgroup/a/memory.max", "2097152\n");
        write("cgroup/a/memory.current", "0\n");
        assertEquals(2 * MIB, budget().available());
    }

    @Test
    void cgroupOfAContainerIsFoundAtTheRoot() throws IOException {
        write("proc/self/cgroup", "0::/outside/container\n");
        write("cgroup/memory.max", "1048576\n");
        write("cgroup/memory.current", "2097152\n");
        assertEquals(0, budget().available());
    }

    @Test
    void cgroup1HasItsOwnNames() throws IOException {
        write("proc/self/cgroup", "5:cpu,memory:/job\n4:cpuset:/\n0::/\n");
        write("cgroup/memory/job/memory.limit_in_bytes", "3145728\n");
        write("cgroup/memory/job/memory.usage_in_bytes", "1048576\n");
        write("cgroup/memory/job/memory.stat", "inactive_file 7\ntotal_inactive_file 8\n");
        assertEquals(2 * MIB + 8, budget().available());
    }

    @Test
    void cgroup1WithoutALimitIsAHugeNumber() throws IOException {
        write("proc/self/cgroup", "5:memory:/job\n");
        write("cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
        write("cgroup/memory/job/memory.usage_in_bytes", "1048576\n");
        assertEquals(4 * MIB, budget().available());
    }

    @Test
    void cgroupPathsDoNotLeaveTheirRoot() throws IOException {
        write("proc/self/cgroup", "0::/../../secret\n");
        write("secret/memory.max", "1\n");
        assertEquals(4 * MIB, budget().available());
    }

    @Test
    void propertyTakesThePlaceOfTheMachine() {
        System.setProperty(MemoryBudget.PROPERTY, "3m");
        assertEquals(new MemoryBudget(3 * MIB, "-Ddarkroom.memory.limit"), MemoryBudget.current());
    }

    @Test
    void propertyHasToBeASize() {
        System.setProperty(MemoryBudget.PROPERTY, "lots");
        var error = assertThrows(IllegalArgumentException.class, MemoryBudget::current);
        assertTrue(error.getMessage().contains("-Ddarkroom.memory.limit: 'lots'"));
    }

    @Test
    void hereAndNowIsSomething() {
        assertTrue(MemoryBudget.current().available() > MIB);
    }

    @Test
    void refusesWhatDoesNotFit() {
        var budget = new MemoryBudget(3 * MIB, "MemAvailable");
        budget.require(3 * MIB, "This");
        var error =
                assertThrows(
                        InsufficientMemoryException.class,
                        () -> budget.require(5 * MIB, "The transformer"));
        assertEquals(5 * MIB, error.needed());
        assertEquals(3 * MIB, error.available());
        assertTrue(
                error.getMessage()
                        .startsWith(
                                "The transformer needs 5.00 MiB, but only 3.00 MiB are available"
                                        + " (MemAvailable)."),
                error.getMessage());
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0 B",
        "1023, 1023 B",
        "1024, 1.00 KiB",
        "10240, 10.0 KiB",
        "102400, 100 KiB",
        "1023999, 0.98 MiB",
        "1610612736, 1.50 GiB",
        "9223372036854775807, 8.00 EiB"
    })
    void sizesHaveThreeDigits(long bytes, String text) {
        assertEquals(text, ByteSize.format(bytes));
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "17, 17",
        "8g, 8589934592",
        "512 MiB, 536870912",
        "2kb, 2048",
        "1T, 1099511627776"
    })
    void sizesAreRead(String text, long bytes) {
        assertEquals(bytes, ByteSize.parse(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "g", "-1", "1.5g", "8x", "99999999999g", "9999999999999999999"})
    void otherTextIsNoSize(String text) {
        assertThrows(IllegalArgumentException.class, () -> ByteSize.parse(text));
    }
}
