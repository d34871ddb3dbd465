hr_test(test_admit_sim LABEL sim SOURCES sim/test_admit_sim.c DEPENDS hr_test_core)
