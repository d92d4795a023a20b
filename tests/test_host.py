"""Facts of a host, from files that other hosts have."""

import pytest

from edgelstm.host import jetpack


@pytest.mark.parametrize(("release", "expected"), [(32, 4), (34, 5), (35, 5), (36, 6), (38, 7), (33, None), (99, None)])
def test_the_jetpack_of_each_release_of_nvidias_linux_is_known(tmp_path, release, expected):
    """As on https://developer.nvidia.com/embedded/jetpack-archive."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "nv_tegra_release").write_text(f"# R{release} (release), REVISION: 1.0, GCID: 1, BOARD: b\n")
    assert jetpack(tmp_path) == expected
