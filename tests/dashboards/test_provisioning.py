"""The files that put the dashboards into a Grafana: what they name exists."""

import yaml

from tests.dashboards.grafana import FOLDER, NAMES, load


def _yaml(path):
    return list(yaml.safe_load_all((FOLDER / path).read_text()))


def test_the_data_source_is_a_prometheus_with_a_scrape_interval():
    (document,) = _yaml("provisioning/datasources/lowtide.yaml")
    (source,) = document["datasources"]
    assert document["apiVersion"] == 1
    assert source["type"] == load("fleet")["__inputs"][0]["pluginId"]
    assert source["jsonData"]["timeInterval"] == "15s"


def test_the_provider_reads_a_folder_and_leaves_the_files_as_they_are():
    (document,) = _yaml("provisioning/dashboards/lowtide.yaml")
    (provider,) = document["providers"]
    assert (document["apiVersion"], provider["type"]) == (1, "file")
    assert provider["options"]["path"].startswith("/var/lib/grafana/dashboards")
    assert provider["allowUiUpdates"] is False


def test_a_dashboard_that_nobody_imported_needs_no_answer_to_the_import_dialog():
    for name in NAMES:
        dashboard = load(name)
        uses = [each for each in dashboard["templating"]["list"] if "DS_PROMETHEUS" in str(each)]
        assert [each["type"] for each in uses] == ["datasource"]
        rest = {key: dashboard[key] for key in ("panels", "annotations", "links")}
        assert "DS_PROMETHEUS" not in str(rest)


def test_the_kustomization_packs_both_and_the_operators_resources_read_from_it():
    (kustomization,) = _yaml("kustomization.yaml")
    (generator,) = kustomization["configMapGenerator"]
    files = {f"lowtide-{name}.json" for name in NAMES}
    assert set(generator["files"]) == files
    assert all((FOLDER / name).exists() for name in (*generator["files"], *kustomization["resources"]))
    assert generator["options"]["disableNameSuffixHash"] is True
    dashboards = _yaml("grafanadashboards.yaml")
    assert {each["kind"] for each in dashboards} == {"GrafanaDashboard"}
    assert {each["spec"]["configMapRef"]["name"] for each in dashboards} == {generator["name"]}
    assert {each["spec"]["configMapRef"]["key"] for each in dashboards} == files
