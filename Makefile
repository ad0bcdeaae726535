# The README's two commands are `run` and `test`; everything else is here for those who change the code.
.PHONY: run test quick check format serve bench load security audit guards setup lock translations map clean

VENV   := .venv
PYTHON := $(VENV)/bin/python

# Many tests wait for servers, so more of them run at once than there are processors. Those that share a server stay
# together, and begin (tests/groups.py); otherwise they are shuffled, in the same way each time unless SEED says another.
WORKERS := $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
TESTS   := $(PYTHON) -m pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder $(if $(SEED),--randomly-seed=$(SEED))

run: setup            ## the product: app and emulated portal, addresses printed last
	@$(PYTHON) -m cli.demo

test: setup           ## everything that can run on this machine; CI=true allows no skips, SEED=2 is another order
	$(TESTS)

quick: setup          ## what needs no server, browser, network or other program; half a minute
	$(PYTHON) -m pytest -q -m "pure and not hypothesis"

check: setup          ## what CI runs before the tests: format, lint, types; then the tests
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy .
	$(TESTS)

format: setup
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

serve: setup          ## the app alone, in production form, configured by the environment
	$(VENV)/bin/flask db-upgrade
	$(VENV)/bin/gunicorn --config gunicorn.conf.py 'app:create_app()'

bench: setup          ## speed and memory beside limits and peers; for example ARGS="--rows 50000 --no-peers"
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements/bench.txt
	$(PYTHON) -m bench $(ARGS)

load: setup           ## what the app holds under load, and for long; for example ARGS="--calls 50000"
	$(PYTHON) -m bench.load $(ARGS)

setup: $(VENV)/.complete

$(VENV)/.complete: requirements.txt requirements/dev.txt $(wildcard translations/*/LC_MESSAGES/messages.po)
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements/dev.txt
	$(VENV)/bin/pybabel --quiet compile --directory translations
	touch $@

COMPILE := $(VENV)/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header

lock: setup           ## pin what the .in files in requirements/ ask for
	$(COMPILE) --output-file requirements.txt requirements/app.in
	$(COMPILE) --output-file requirements/dev.txt requirements/dev.in
	$(COMPILE) --output-file requirements/bench.txt requirements/bench.in
	$(COMPILE) --output-file requirements/audit.txt requirements/audit.in

translations: setup   ## collect the sentences of code and templates into the catalogues
	$(VENV)/bin/pybabel extract --mapping babel.cfg --keyword _l --keyword N_ --no-location --sort-output --no-wrap --omit-header --output translations/messages.pot .
	$(VENV)/bin/pybabel update --no-wrap --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --input-file translations/messages.pot --output-dir translations
	$(VENV)/bin/pybabel compile --directory translations

security: setup       ## the whole proof of security as one table: promise, target, measured (docs/operate/security.md)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements/audit.txt
	$(PYTHON) -m bench.security $(ARGS)

audit: setup          ## dependencies and code: pins, licences, a CycloneDX list of components, known faults, secrets, bandit
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements/audit.txt
	$(PYTHON) -m bench.security.supply_chain

guards: setup         ## takes each guard away in a copy: the tests nearest to it have to notice; ARGS="word" for some
	$(PYTHON) -m tests.security.guards $(ARGS)

map: setup            ## the map of modules, from their docstrings
	$(PYTHON) -m tests.docs.module_map

clean:
	rm -rf $(VENV) instance .pytest_cache .mypy_cache .ruff_cache
