# The Debian package: the component runtime, and what only a Debian package has (component debian). scripts/package
# builds it. Whoever builds it is its maintainer: DEBFULLNAME and DEBEMAIL name them, as for Debian's own tools.
set(SKINCHECK_MAINTAINER "skincheck packagers <skincheck@packages.invalid>")
if(NOT "$ENV{DEBEMAIL}" STREQUAL "")
    set(SKINCHECK_MAINTAINER "$ENV{DEBEMAIL}")
    if(NOT "$ENV{DEBFULLNAME}" STREQUAL "")
        set(SKINCHECK_MAINTAINER "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
    endif()
endif()
set(SKINCHECK_DEBIAN_REVISION 1)

# The copyright file has the model's licence word for word, as that licence asks, in Debian's form: a blank before
# each line, a dot for an empty one.
file(READ models/skincheck-resnet50/LICENSE.uber-noncommercial MODEL_LICENCE)
string(STRIP "${MODEL_LICENCE}" MODEL_LICENCE)
string(REPLACE "\n\n" "\n.\n" MODEL_LICENCE "${MODEL_LICENCE}")
string(REPLACE "\n" "\n " MODEL_LICENCE " ${MODEL_LICENCE}")
set(debian ${CMAKE_BINARY_DIR}/packaging)
configure_file(packaging/copyright.in ${debian}/copyright @ONLY)
# Honours SOURCE_DATE_EPOCH.
string(TIMESTAMP SKINCHECK_CHANGELOG_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(packaging/changelog.Debian.in ${debian}/changelog.Debian @ONLY)
configure_file(CHANGELOG.md ${debian}/changelog COPYONLY)

install(FILES ${debian}/copyright ${debian}/changelog ${debian}/changelog.Debian
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/skincheck COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES packaging/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME skincheck
    COMPONENT debian EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME skincheck)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL runtime debian)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/finish-package.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${SKINCHECK_DEBIAN_REVISION})
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${SKINCHECK_MAINTAINER})
# The model's licence permits non-commercial use only; so the whole package is what Debian calls non-free.
set(CPACK_DEBIAN_PACKAGE_SECTION non-free/science)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "jq, parallel, python3")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "scores dermoscopic images for malignancy, for research only")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "\
skincheck scores dermoscopic images (photographs of skin lesions through a
dermatoscope) with a neural network: paths go in, rows come out as CSV, JSON
or JSON Lines. One input gives exactly one row, in the order of the inputs; a
file that cannot be scored has a row that says why. It also measures scores
against ground truth.
.
It is no medical device, and a score is no diagnosis. The model that comes
with it is for non-commercial use only.")
include(CPack)
